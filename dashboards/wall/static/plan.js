// The heat plan: areas where the site's profile places them, the warmer the fuller, and car parks with places left.

import { count, filled, known, share } from "./format.js";
import { fit, make, write } from "./dom.js";
import { aheadShort, placesLeft } from "./figures.js";
import { Tile, newMark, showMark, showNumber, showText } from "./tile.js";

const PARTS = ["name", "inside", "share", "soon"];

export class Plan extends Tile {
  constructor(spec) {
    super(spec);
    this.lost = newMark();
    this.heading.append(this.lost);
    this.cells = make("div", "cells");
    this.element.append(this.cells);
  }

  show(view) {
    const { snapshot, site, words } = view;
    const areas = snapshot.areas.filter((area) => !this.spec.kind || area.kind === this.spec.kind);
    this.showTitle(words.areas, view);
    showMark(this.lost, "±", Math.max(0, ...areas.map((area) => area.lost)), words);
    fit(this.cells, areas.length, newCell);
    const frame = frameOf(areas.map((area) => site.areas[area.id]?.place).filter(Boolean));
    areas.forEach((area, number) => showCell(this.cells.children[number], area, frame, view));
  }
}

function newCell() {
  const cell = make("div", "cell");
  cell.append(...PARTS.map((part) => make("span", part)));
  return cell;
}

// The smallest rectangle around all places: [left, top, width, height].
function frameOf(places) {
  const [x, y] = [0, 1].map((axis) => Math.min(...places.map((place) => place[axis])));
  const [right, bottom] = [0, 1].map((axis) => Math.max(...places.map((place) => place[axis] + place[axis + 2])));
  return [x, y, right - x, bottom - y];
}

function showCell(cell, area, frame, { site, words, language }) {
  const { title, place = frame } = site.areas[area.id] ?? {};
  const percent = (axis, value) => `${(100 * value) / frame[axis + 2]}%`;
  Object.assign(cell.style, {
    left: percent(0, place[0] - frame[0]), top: percent(1, place[1] - frame[1]), width: percent(0, place[2]), height: percent(1, place[3]),
  });
  const [name, inside, percentage, soon] = cell.children;
  cell.dataset.area = area.id;
  cell.dataset.level = area.level;
  cell.dataset.known = known(area.inside);
  cell.style.setProperty("--heat", `${filled(area.share)}%`);
  showText(name, title?.[language] ?? area.id);
  const left = placesLeft(area, words);
  showNumber(inside, (area.lost && known(area.inside) ? "≈" : "") + (left || count(area.inside))); // how far off, the heading says
  write(percentage, known(area.share) ? share(area.share) : "");
  showText(soon, aheadShort(area, words) || (left && words.parked(count(area.inside))));
}
