// The day as a drawing: who was inside as a line above; below, passages a minute, in by category and out.
// Behind both, in outline, the day before or the plan.

import { known } from "./format.js";
import { fit, make, rem, shape, write } from "./dom.js";
import { Tile, newMark, showMark } from "./tile.js";

const MINUTE = 60_000;
const LABEL_REM = 4.4; // the room that an hour's label needs
const LINE_REM = 1.5; // and a number of a scale

export class Trend extends Tile {
  #drawn = []; // what the drawing is of

  constructor(spec) {
    super(spec);
    this.keys = make("span", "keys");
    this.lost = newMark();
    this.heading.append(this.lost, this.keys);
    this.chart = shape("svg", "chart", { role: "img" });
    this.element.append(this.chart);
  }

  show(view) {
    const { trends, snapshot, site, words, language } = view;
    const { kind, area } = this.spec;
    this.showTitle(words.trend, view);
    const today = snapshot.today[kind]?.lost;
    showMark(this.lost, today ? "−" : "±", today || this.occupancy(snapshot).lost, words);
    const trend = trends?.find((each) => each.kind === kind && each.area === area);
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (!trend) this.#clear();
    if (!trend || !width || !height) return;
    const { capacity } = this.occupancy(snapshot);
    const categories = site.categories[kind];
    const levels = site.capacity_levels;
    const drawn = [trend, width, height, capacity, levels, language];
    if (drawn.every((each, place) => each === this.#drawn[place])) return; // drawing is the page's heaviest work
    this.#drawn = drawn;
    showKeys(this.keys, trend, categories, words, language);
    drawTrend(this.chart, trend, { width, height, capacity, levels, categories, format: view.format });
  }

  #clear() {
    this.#drawn = [];
    this.chart.replaceChildren();
  }
}

function showKeys(element, trend, categories, words, language) {
  const of = Object.keys(trend.entered).filter((name) => trend.entered[name].some((value) => value > 0));
  const keys = [
    ["inside", words.key_inside, ""],
    ...of.map((name) => ["category", categories[name].title[language], categories[name].colour]),
    ["out", words.key_out, ""],
    ...(trend.behind ? [["behind", words[`key_${trend.behind.name}`], ""]] : []),
  ];
  fit(element, keys.length, () => make("span", "key"));
  keys.forEach(([className, text, colour], place) => {
    const key = element.children[place];
    key.className = `key ${className}`;
    key.style.setProperty("--key", colour);
    write(key, text);
  });
}

// The step of a scale with about so many lines over `length`, at least one of them up to `top`: 1, 2 or 5 times a power of ten.
export function step(length, about, top) {
  const rough = Math.max(1, length) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10].map((factor) => factor * power);
  return Math.max(1, Math.min(steps.find((each) => each >= rough), steps.findLast((each) => each <= top) ?? 1));
}

function label(value) {
  return Math.abs(value) >= 10_000 ? `${value / 1000}k` : String(value);
}

function drawTrend(svg, trend, { width, height, capacity, levels, categories, format }) {
  const one = rem();
  const room = { left: 3.6 * one, right: width - 1.6 * one, top: 0.5 * one, floor: height - 1.7 * one };
  const parts = { above: room.top + (room.floor - room.top) * 0.52, below: room.top + (room.floor - room.top) * 0.6 };
  const x = (place) => room.left + ((room.right - room.left) * place) / trend.steps;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(
    ...hours(trend, format, x, room, one),
    ...inside(trend, capacity, levels, x, { ...room, floor: parts.above }, one),
    ...flows(trend, categories, x, { ...room, top: parts.below, under: true }, one),
  );
}

function hours(trend, format, x, room, one) {
  const shapes = [];
  const perHour = (60 * MINUTE) / trend.step_ms;
  const fitting = ((room.right - room.left) / (LABEL_REM * one)) * perHour;
  const every = [1, 2, 3, 4, 6, 12].find((hoursApart) => trend.steps / hoursApart <= fitting) ?? 12;
  for (let place = 0; place <= trend.steps; place += 1) {
    const moment = trend.start_ms + place * trend.step_ms;
    const text = format.short(moment);
    if (!text.endsWith(":00") || Number(text.slice(0, 2)) % every) continue;
    shapes.push(shape("line", "grid", { x1: x(place), x2: x(place), y1: room.top, y2: room.floor }));
    shapes.push(shape("text", "hour", { x: x(place), y: room.floor + 1.3 * one }, text));
  }
  return shapes;
}

function inside(trend, capacity, levels, x, room, one) {
  const behind = trend.behind?.inside ?? [];
  const some = [...trend.inside, ...behind].filter(known);
  const peak = Math.max(1, ...some);
  const top = 1.08 * (capacity && peak > 0.7 * capacity ? Math.max(peak, capacity) : peak); // its limits are in sight
  const bottom = Math.min(0, ...some) * 1.08; // below nobody is drift, and shown
  const y = (value) => room.floor - ((room.floor - room.top) * (value - bottom)) / (top - bottom);
  const shapes = lines(bottom, top, y, room, one);
  for (const [name, percent] of Object.entries(levels)) {
    const limit = (capacity * percent) / 100;
    if (capacity && limit <= top) shapes.push(shape("line", `limit ${name}`, { x1: room.left, x2: room.right, y1: y(limit), y2: y(limit) }));
  }
  const path = (values) =>
    values.map((value, place) => (known(value) ? `${x(place + 1).toFixed(1)},${y(value).toFixed(1)}` : null)).filter(Boolean);
  if (path(behind).length) shapes.push(shape("path", "behind", { d: `M${path(behind).join("L")}` }));
  const points = path(trend.inside);
  if (points.length) {
    const [first, last] = [points[0], points.at(-1)].map((point) => point.split(",")[0]);
    shapes.push(shape("path", "area", { d: `M${first},${y(0)}L${points.join("L")}L${last},${y(0)}Z` }));
    shapes.push(shape("path", "inside", { d: `M${points.join("L")}` }));
  }
  return shapes;
}

function flows(trend, categories, x, room, one) {
  const minutes = trend.step_ms / MINUTE;
  const behind = trend.behind?.entered ?? [];
  const names = Object.keys(trend.entered);
  const entered = trend.departed.map((_, place) => names.reduce((sum, name) => sum + (trend.entered[name][place] ?? 0), 0));
  const top = (Math.max(1, ...entered, ...behind) / minutes) * 1.05;
  const bottom = (-Math.max(1, ...trend.departed.filter(known)) / minutes) * 1.05;
  const y = (value) => room.floor - ((room.floor - room.top) * (value / minutes - bottom)) / (top - bottom);
  const bar = (className, place, from, to) =>
    shape("rect", className, { x: x(place) + 0.5, width: Math.max(1, x(1) - x(0) - 1), y: y(to), height: Math.max(0, y(from) - y(to)) });
  const shapes = lines(bottom, top, (value) => y(value * minutes), room, one, (value) => label(Math.abs(value))); // out counts up, downwards
  trend.departed.forEach((departed, place) => {
    let under = 0;
    for (const name of names) {
      const value = trend.entered[name][place] ?? 0;
      if (!value) continue;
      const part = bar("in", place, under, under + value);
      part.style.fill = categories[name].colour;
      shapes.push(part);
      under += value;
    }
    if (departed) shapes.push(bar("out", place, -departed, 0));
  });
  const steps = behind.map((value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}H${x(place + 1).toFixed(1)}`);
  if (steps.length) shapes.push(shape("path", "behind", { d: `M${steps.join("L")}` }));
  return shapes;
}

function lines(bottom, top, y, room, one, text = label) {
  const scale = step(top - bottom, Math.max(2, Math.floor((room.floor - room.top) / (LINE_REM * one))), top);
  const shapes = [];
  for (let value = Math.ceil(bottom / scale) * scale; value <= top; value += scale) {
    shapes.push(shape("line", value === 0 ? "grid zero" : "grid", { x1: room.left, x2: room.right, y1: y(value), y2: y(value) }));
    if (y(value) - room.top < 0.4 * one && room.under) continue; // no room beside what stands above
    shapes.push(shape("text", "scale", { x: room.left - 0.4 * one, y: y(value) + 0.36 * one }, text(value)));
  }
  return shapes;
}
