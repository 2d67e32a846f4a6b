// The ranking of entrances. What does not fit on the wall at once is shown page by page.

import { count, known, rate } from "./format.js";
import { make, write } from "./view.js";

const GROUPS = ["person", "vehicle", "inner"];
const DWELL_MS = 12_000;
const ROW_REM = 2.4;
const COLUMN_REM = 50;
const PARTS = ["rank", "name", "bar", "in", "out", "total-in", "total-out", "lanes"];

export class Ranking {
  #page = 0;
  #turned = performance.now();

  // `?show=person,inner` keeps a display to some groups.
  constructor(rows, heads, group, dots) {
    Object.assign(this, { rows, heads, group, dots });
    const wanted = new URLSearchParams(location.search).get("show")?.split(",") ?? GROUPS;
    this.groups = GROUPS.filter((name) => wanted.includes(name));
  }

  show(entrances, site, words, language) {
    const { columns, size } = this.#room();
    const pages = this.#pages(entrances, size);
    if (performance.now() - this.#turned > DWELL_MS) {
      this.#page += 1;
      this.#turned = performance.now();
    }
    this.#page %= Math.max(1, pages.length);
    const page = pages[this.#page] ?? { group: "person", rows: [], first: 0, of: 0 };
    const peak = Math.max(1, ...entrances.filter((row) => row.group === page.group).map((row) => row.flow_in + row.flow_out));
    this.#showHead(page, pages, columns, site, words);
    this.#fit(page.rows.length, columns);
    page.rows.forEach((row, place) => showRow(this.rows.children[place], row, peak, site, words, language));
  }

  #room() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const columns = Math.max(1, Math.floor(this.rows.clientWidth / (COLUMN_REM * rem)));
    return { columns, size: columns * Math.max(1, Math.floor(this.rows.clientHeight / (ROW_REM * rem))) };
  }

  #pages(entrances, size) {
    return this.groups.flatMap((group) => {
      const rows = entrances.filter((row) => row.group === group);
      const pages = Math.ceil(rows.length / size);
      const each = Math.ceil(rows.length / Math.max(1, pages)); // even pages: 20 rows are 10 and 10, not 11 and 9
      return Array.from({ length: pages }, (_, page) => ({
        group, first: page * each, of: rows.length, rows: rows.slice(page * each, (page + 1) * each),
      }));
    });
  }

  #showHead(page, pages, columns, site, words) {
    write(this.group, page.of ? `${words[page.group]} ${page.first + 1}–${page.first + page.rows.length} / ${page.of}` : "");
    const dots = pages.length > 1 ? pages.map((_, place) => (place === this.#page ? "●" : "○")).join(" ") : "";
    write(this.dots, dots);
    const titles = ["", words.entrance, words.flow(site.flow_minutes), words.per_minute_in, words.per_minute_out, words.today_in, words.today_out, words.lanes];
    this.heads.style.setProperty("--columns", columns);
    this.rows.style.setProperty("--columns", columns);
    while (this.heads.children.length > columns) this.heads.lastChild.remove();
    while (this.heads.children.length < columns) {
      const head = make("div", "row head");
      head.append(...PARTS.map((part) => make("span", part)));
      this.heads.append(head);
    }
    for (const head of this.heads.children) titles.forEach((title, place) => write(head.children[place], title));
  }

  #fit(length, columns) {
    this.rows.style.setProperty("--lines", Math.max(1, Math.ceil(length / columns)));
    while (this.rows.children.length > length) this.rows.lastChild.remove();
    while (this.rows.children.length < length) this.rows.append(newRow());
  }
}

function newRow() {
  const row = make("div", "row");
  const parts = PARTS.map((part) => make("span", part));
  parts[1].append(make("span", "title"), make("span", "badge"));
  parts[2].append(make("i", "fill-in"), make("i", "fill-out"));
  row.append(...parts);
  return row;
}

function showRow(element, row, peak, site, words, language) {
  const [rank, name, bar, flowIn, flowOut, totalIn, totalOut, lanes] = element.children;
  const heard = known(row.today_in);
  element.dataset.entrance = row.id;
  element.dataset.heard = heard;
  element.dataset.lanes = row.heard === 0 ? "none" : row.heard + row.silent < row.lanes ? "some" : "all";
  write(rank, heard ? String(row.rank) : "–");
  write(name.children[0], site.entrances[row.id]?.[language] ?? row.id);
  write(name.children[1], row.missing ? words.missing(count(row.missing)) : heard ? (row.heard === 0 ? words.silent : "") : words.unheard);
  name.children[1].dataset.kind = row.missing ? "missing" : "quiet";
  bar.children[0].style.width = `${(100 * (row.flow_in ?? 0)) / peak}%`;
  bar.children[1].style.width = `${(100 * (row.flow_out ?? 0)) / peak}%`;
  write(flowIn, rate(row.flow_in));
  write(flowOut, rate(row.flow_out));
  write(totalIn, count(row.today_in));
  write(totalOut, count(row.today_out));
  write(lanes, heard ? `${row.heard}/${row.lanes}` : `–/${row.lanes}`);
}
