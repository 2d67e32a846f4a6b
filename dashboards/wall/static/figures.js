// The headline tiles: who entered today, who is inside now, and the flow of the last minute.

import { count, filled, known, share } from "./format.js";
import { make, shape, write } from "./dom.js";
import { Tile, newMark, showMark, showNumber, showText } from "./tile.js";

const STEADY = 0.1; // a flow that differs less than this from the minutes before is steady

export class Entered extends Tile {
  constructor(spec) {
    super(spec);
    this.main = this.figure("main", "entries");
    this.second = this.figure("second", spec.kind === "vehicle" ? "inside" : "distinct");
    this.label = make("small", "");
    this.lost = newMark();
    this.lostInside = newMark();
    this.note = make("small", "");
    this.since = make("small", "");
    this.exits = make("small", "note");
    this.heading.append(this.since, this.exits);
    const line = make("p", "line");
    line.append(this.second, this.lostInside, this.label, this.note);
    const marked = make("div", "marked");
    marked.append(this.main, this.lost);
    this.element.append(marked, line);
  }

  show(view) {
    const { snapshot, words } = view;
    const today = snapshot.today[this.spec.kind] ?? {};
    const vehicles = this.spec.kind === "vehicle";
    this.showTitle(vehicles ? words.vehicles_today : words.persons_today, view);
    this.since.hidden = !view.site.day_starts; // a day from midnight needs no note
    write(this.since, words.since(view.site.day_starts));
    showNumber(this.main, count(today.entries));
    showMark(this.lost, "−", today.lost, words);
    write(this.second, count(vehicles ? snapshot.inside.vehicle?.inside : today.distinct));
    showMark(this.lostInside, "±", vehicles && snapshot.inside.vehicle?.lost, words);
    write(this.label, vehicles ? words.inside_short : words.distinct);
    write(this.note, today.unidentified ? words.unidentified(count(today.unidentified)) : "");
    write(this.exits, words.exits(count(today.exits)));
  }
}

export class Inside extends Tile {
  constructor(spec) {
    super(spec);
    this.partial = make("small", "");
    this.heading.append(this.partial);
    this.ring = shape("svg", "ring", { viewBox: "0 0 40 40" });
    this.share = this.figure("share", "share");
    this.capacity = make("small", "");
    this.main = this.figure("main", "inside");
    this.lost = newMark();
    this.soon = this.figure("soon", "ahead");
    const dial = make("div", "dial");
    const reading = make("div", "reading");
    reading.append(this.share, this.capacity);
    dial.append(this.ring, reading);
    const marked = make("div", "marked");
    marked.append(this.main, this.lost);
    this.element.append(marked, dial, this.soon);
  }

  show(view) {
    const { snapshot, words } = view;
    const now = this.occupancy(snapshot);
    this.showTitle(this.spec.kind === "vehicle" ? words.parked_now : words.inside_now, view);
    write(this.partial, known(now.inside) && now.unheard ? words.areas_unheard(now.unheard) : "");
    write(this.capacity, known(now.capacity) ? words.of_capacity(count(now.capacity)) : words.no_capacity);
    showNumber(this.main, count(now.inside));
    showMark(this.lost, "±", now.lost, words);
    write(this.share, share(now.share));
    showText(this.soon, ahead(now, words) || placesLeft(now, words));
    this.element.dataset.level = now.level ?? "calm";
    drawRing(this.ring, view.site.capacity_levels, filled(now.share));
  }
}

// When the next level of the capacity is expected; nothing where no forecast expects one.
function ahead(area, words) {
  if (!area.ahead) return "";
  const { level, minutes, earliest, latest } = area.ahead;
  return words.ahead(level, minutes, earliest ?? "…", latest ?? "…");
}

// The same without its interval, where there is little room.
export const aheadShort = ({ ahead }, words) => (ahead ? words.ahead_short(ahead.level, ahead.minutes) : "");

// How many places are left, or how many are too many, "" where that is not known or not of vehicles.
export function placesLeft(area, words) {
  if (area.kind !== "vehicle" || !known(area.inside) || !known(area.capacity)) return "";
  const places = area.capacity - area.inside;
  return places < 0 ? words.places_over(count(-places)) : words.places_left(count(places));
}

// A dial from 0 to 100 % with an arc from each level below 100 % on; its circle has a circumference of 100.
function drawRing(svg, levels, share) {
  const marks = Object.entries(levels).filter(([, percent]) => percent < 100);
  const arc = (className, length, from = 0) =>
    shape("circle", className, { cx: 20, cy: 20, r: 100 / (2 * Math.PI), "stroke-dasharray": `${length} 100`, "stroke-dashoffset": -from });
  svg.replaceChildren(
    arc("track", marks[0]?.[1] ?? 100),
    ...marks.map(([name, percent]) => arc(`track ${name}`, 100 - percent - 0.6, percent + 0.3)),
    arc("filled", share),
  );
}

export class Flow extends Tile {
  constructor(spec) {
    super(spec);
    this.rows = ["entered", "departed"].map((name) => {
      const row = make("p", `way ${name}`);
      row.append(make("small", "label"), this.figure("main", name), make("b", "arrow"));
      return row;
    });
    this.element.append(...this.rows);
  }

  show(view) {
    const { snapshot, words } = view;
    const { kind, area } = this.spec;
    const flow = snapshot.flows.find((each) => each.kind === kind && each.area === area) ?? {};
    this.showTitle(kind === "vehicle" ? words.flow_vehicles : words.flow_minute, view);
    const digits = Math.max(4, count(flow.entered).length, count(flow.departed).length);
    this.element.style.setProperty("--digits", digits); // both numbers are of one size
    for (const [row, name] of [[this.rows[0], "entered"], [this.rows[1], "departed"]]) {
      const [label, number, arrow] = row.children;
      write(label, words[name]);
      write(number, count(flow[name]));
      write(arrow, trendOf(flow[name], flow[`${name}_before`]));
    }
  }
}

// ▲ more, ▼ fewer, ▶ about as many as in the minutes before, and by how much.
function trendOf(now, before) {
  if (!known(now) || !known(before)) return "";
  if (before === 0) return now > 0 ? "▲" : "▶";
  const change = now / before - 1;
  const arrow = change > STEADY ? "▲" : change < -STEADY ? "▼" : "▶";
  return `${arrow} ${changeOf(change)}`;
}

// A change as per cent with its sign; from ten times as many on, times.
export function changeOf(change) {
  if (change >= 98) return ">×99";
  if (change >= 9) return `×${count(change + 1)}`;
  const percent = Math.round(change * 100);
  return percent < 0 ? `−${-percent}%` : `+${percent}%`;
}
