// The ranking of entrances. What does not fit into the tile at once is shown page by page.

import { count, known, shortAge, waiting } from "./format.js";
import { fit, make, rem, write } from "./dom.js";
import { changeOf } from "./figures.js";
import { Tile, newMark, showMark } from "./tile.js";

const GROUPS = ["person", "vehicle", "inner"];
const DWELL_MS = 12_000;
const ROW_REM = 2.86;
const PARTS = ["rank", "name", "minute-in", "minute-out", "flow", "change", "today-in", "today-out", "lanes", "wait", "age"];

export class Ranking extends Tile {
  #page = 0;
  #turned = performance.now();

  constructor(spec) {
    super(spec);
    this.group = make("b", "group");
    this.dots = make("span", "pages");
    this.lost = newMark();
    this.heading.append(this.group, this.lost, this.dots);
    this.head = make("div", "row head");
    this.head.append(...PARTS.map((part) => make("span", part)));
    this.rows = make("div", "rows");
    this.element.append(this.head, this.rows);
  }

  show(view) {
    const { words, site } = view;
    const entrances = view.snapshot.entrances.filter((row) => this.#isWanted(row, site));
    const pages = this.#pages(entrances);
    if (performance.now() - this.#turned > DWELL_MS) {
      this.#page += 1;
      this.#turned = performance.now();
    }
    this.#page %= Math.max(1, pages.length);
    const page = pages[this.#page] ?? { group: "", rows: [], first: 0, of: 0 };
    const peak = Math.max(1, ...entrances.filter((row) => row.group === page.group).map((row) => row.flow_in + row.flow_out));
    this.showTitle(words.ranking, view);
    write(this.group, page.of ? `${words[page.group]} ${page.first + 1}–${page.first + page.rows.length} / ${page.of}` : "");
    showMark(this.lost, "−", view.snapshot.today[page.rows[0]?.kind]?.lost, words);
    write(this.dots, pages.length > 1 ? pages.map((_, place) => (place === this.#page ? "●" : "○")).join(" ") : "");
    const titles = ["", words.entrance, words.minute_in, words.minute_out, words.flow(site.flow_minutes), words.change,
      words.today_in, words.today_out, words.lanes, words.wait, words.age_of];
    titles.forEach((title, place) => write(this.head.children[place], title));
    fit(this.rows, page.rows.length, newRow);
    page.rows.forEach((row, place) => showRow(this.rows.children[place], row, peak, view));
  }

  // An area's ranking has the entrances that lead into it or out of it.
  #isWanted(row, site) {
    const { kind, area, zone } = this.spec;
    const { outer, inner, zone: its } = site.entrances[row.id] ?? {};
    return (!kind || row.group === kind || (area && row.kind === kind)) && (!area || inner === area || outer === area) && (!zone || its === zone);
  }

  #pages(entrances) {
    const size = Math.max(1, Math.floor(this.rows.clientHeight / (ROW_REM * rem())));
    return GROUPS.flatMap((group) => {
      const rows = entrances.filter((row) => row.group === group);
      const pages = Math.ceil(rows.length / size);
      const each = Math.ceil(rows.length / Math.max(1, pages)); // even pages: 20 rows are 10 and 10, not 11 and 9
      return Array.from({ length: pages }, (_, page) => ({
        group, first: page * each, of: rows.length, rows: rows.slice(page * each, (page + 1) * each),
      }));
    });
  }
}

function newRow() {
  const row = make("div", "row");
  const parts = PARTS.map((part) => make("span", part));
  parts[1].append(make("span", "title"), make("span", "badge"));
  const bar = make("i", "bar");
  bar.append(make("i", "fill-in"), make("i", "fill-out"));
  row.append(...parts, bar);
  return row;
}

function showRow(element, row, peak, { words, site, language, site_ms }) {
  const parts = Object.fromEntries(PARTS.map((part, place) => [part, element.children[place]]));
  const hasEvents = known(row.today_in);
  element.dataset.entrance = row.id;
  element.dataset.heard = hasEvents;
  element.dataset.lanes = row.heard === 0 ? "none" : row.heard + row.silent < row.lanes ? "some" : "all";
  const [title, badge] = parts.name.children;
  write(title, site.entrances[row.id]?.title[language] ?? row.id);
  write(badge, row.missing ? words.missing(count(row.missing)) : hasEvents ? (row.heard === 0 ? words.silent : "") : words.unheard);
  badge.dataset.kind = row.missing ? "missing" : "quiet";
  const texts = {
    rank: hasEvents ? String(row.rank) : "–",
    "minute-in": count(row.minute_in),
    "minute-out": count(row.minute_out),
    flow: hasEvents ? count(row.flow_in + row.flow_out) : count(null),
    change: row.average > 0 ? changeOf((row.minute_in + row.minute_out) / row.average - 1) : "–",
    "today-in": count(row.today_in),
    "today-out": count(row.today_out),
    lanes: hasEvents ? `${row.open_lanes ?? row.heard}/${row.lanes}` : `–/${row.lanes}`,
    wait: waiting(row.wait),
    age: known(row.newest_ms) ? shortAge((site_ms - row.newest_ms) / site.speed, words) : "–",
  };
  for (const [part, text] of Object.entries(texts)) write(parts[part], text);
  const [fillIn, fillOut] = element.lastChild.children;
  fillIn.style.width = `${(100 * (row.flow_in ?? 0)) / peak}%`;
  fillOut.style.width = `${(100 * (row.flow_out ?? 0)) / peak}%`;
}
