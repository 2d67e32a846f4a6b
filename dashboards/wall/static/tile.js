// Draws a wall tile: a title, and a body that `show` fills in. A tile says what it is about in its `spec`:
// { shows, kind, area, zone } as in the site's profile, "" where it is not narrowed down.
//
// `view` is all that can be shown: { snapshot, trends, site, words, language, format, site_ms }.

import { make, write } from "./dom.js";
import { count } from "./format.js";

export class Tile {
  constructor(spec) {
    this.spec = spec;
    this.element = make("section", `tile ${spec.shows}`);
    for (const [name, value] of Object.entries(spec)) if (value) this.element.dataset[name] = value;
    this.heading = make("h2", "");
    this.title = make("span", "title");
    this.heading.append(this.title);
    this.element.append(this.heading);
  }

  // The name of what the tile is narrowed down to, "" if it is about the whole site.
  place({ site, language }) {
    const { area, zone } = this.spec;
    return (area ? site.areas[area]?.title : zone ? site.zones[zone] : null)?.[language] ?? "";
  }

  // Who is inside what the tile is about; {} while nothing is known.
  occupancy({ areas, inside }) {
    const { kind, area } = this.spec;
    return (area ? areas.find((each) => each.id === area && each.kind === kind) : inside[kind]) ?? {};
  }

  showTitle(text, view) {
    write(this.title, [this.place(view), text].filter(Boolean).join(" · "));
  }

  // An output that tests and other programs find by its name.
  figure(className, name) {
    const output = make("output", className);
    output.dataset.figure = [this.spec.area || this.spec.kind, name].join(".");
    return output;
  }
}

// The mark beside a figure that lacks records for good: "incomplete", and how many. "−": so many may be missing from it;
// "±": it may be off by so many. Hidden while nothing is.
export function newMark() {
  const mark = make("span", "lost");
  mark.append(make("small", "word"), make("b", "size"));
  mark.hidden = true;
  return mark;
}

export function showMark(mark, sign, lost, words) {
  mark.hidden = !lost;
  write(mark.firstChild, lost ? words.lost : "");
  write(mark.lastChild, lost ? sign + count(lost) : "");
  mark.style.setProperty("--letters", Math.max(7, mark.lastChild.textContent.length));
}

// A number in large letters that shrink as it grows, so that it never leaves its tile.
export function showNumber(output, text) {
  write(output, text);
  output.style.setProperty("--digits", Math.max(4, widthOf(text)));
}

// The same for other texts: `--letters` is their number.
export function showText(element, text) {
  write(element, text);
  element.style.setProperty("--letters", Math.max(10, widthOf(text)));
}

// How many Latin letters or digits are as wide; a Chinese character is as wide as two, and so is its font's "≈".
function widthOf(text) {
  return [...text].reduce((sum, letter) => sum + (letter > "\u2e80" || letter === "≈" ? 1.9 : 1.05), 0);
}
