// The trend as a drawing: who was inside as a line above, passages in and out per minute as bars below.

import { known } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const MINUTE = 60_000;
const LEVELS = [["yellow", 0.8], ["orange", 0.9], ["red", 1]];

function shape(tag, className, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  element.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

// The step of a scale with three or four lines up to `peak`: 1, 2 or 5 times a power of ten.
export function step(peak) {
  const rough = Math.max(1, peak) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  return Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= rough) * power);
}

function label(value) {
  return Math.abs(value) >= 10_000 ? `${value / 1000}k` : String(value);
}

export function drawTrend(svg, trend, format, capacity) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const { clientWidth: width, clientHeight: height } = svg;
  if (!width || !height) return;
  const room = { left: 3.6 * rem, right: width - 0.4 * rem, top: 0.7 * rem, floor: height - 1.9 * rem };
  const parts = { above: room.top + (room.floor - room.top) * 0.54, below: room.top + (room.floor - room.top) * 0.64 };
  const length = trend.inside.length;
  const x = (place) => room.left + ((room.right - room.left) * place) / length;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(
    ...hours(trend, format, x, room, rem),
    ...inside(trend.inside, capacity, x, { ...room, floor: parts.above }, rem),
    ...flows(trend, x, { ...room, top: parts.below }, rem),
  );
}

function hours(trend, format, x, room, rem) {
  const shapes = [];
  trend.inside.forEach((_, place) => {
    const moment = trend.start_ms + place * MINUTE;
    if (moment % (30 * MINUTE)) return;
    shapes.push(shape("line", "grid", { x1: x(place), x2: x(place), y1: room.top, y2: room.floor }));
    shapes.push(shape("text", "hour", { x: x(place), y: room.floor + 1.35 * rem }, format.short(moment)));
  });
  return shapes;
}

function inside(values, capacity, x, room, rem) {
  const some = values.filter(known);
  const peak = Math.max(1, ...some);
  const top = 1.08 * (capacity && peak > 0.7 * capacity ? Math.max(peak, capacity) : peak); // its limits are in sight
  const bottom = Math.min(0, ...some) * 1.08; // below nobody is drift, and shown
  const y = (value) => room.floor - ((room.floor - room.top) * (value - bottom)) / (top - bottom);
  const shapes = lines(bottom, top, y, room, rem);
  for (const [name, share] of LEVELS) {
    const limit = capacity * share;
    if (capacity && limit <= top) shapes.push(shape("line", `limit ${name}`, { x1: room.left, x2: room.right, y1: y(limit), y2: y(limit) }));
  }
  const points = values.map((value, place) => (known(value) ? `${x(place + 1).toFixed(1)},${y(value).toFixed(1)}` : null)).filter(Boolean);
  if (points.length) {
    const first = points[0].split(",")[0];
    const last = points.at(-1).split(",")[0];
    shapes.push(shape("path", "area", { d: `M${first},${y(0)}L${points.join("L")}L${last},${y(0)}Z` }));
    shapes.push(shape("path", "inside", { d: `M${points.join("L")}` }));
  }
  return shapes;
}

function flows(trend, x, room, rem) {
  const top = Math.max(1, ...trend.entered.filter(known)) * 1.05;
  const bottom = -Math.max(1, ...trend.departed.filter(known)) * 1.05;
  const y = (value) => room.floor - ((room.floor - room.top) * (value - bottom)) / (top - bottom);
  const bar = (className, place, value) => {
    const [from, to] = [y(Math.max(0, value)), y(Math.min(0, value))];
    return shape("rect", className, { x: x(place) + 0.5, width: Math.max(1, x(1) - x(0) - 1), y: from, height: Math.max(0, to - from) });
  };
  const shapes = lines(bottom, top, y, room, rem, (value) => label(Math.abs(value))); // out counts up, downwards
  trend.entered.forEach((value, place) => known(value) && shapes.push(bar("in", place, value)));
  trend.departed.forEach((value, place) => known(value) && shapes.push(bar("out", place, -value)));
  return shapes;
}

function lines(bottom, top, y, room, rem, text = label) {
  const scale = step(top - bottom);
  const shapes = [];
  for (let value = Math.ceil(bottom / scale) * scale; value <= top; value += scale) {
    shapes.push(shape("line", value === 0 ? "grid zero" : "grid", { x1: room.left, x2: room.right, y1: y(value), y2: y(value) }));
    shapes.push(shape("text", "scale", { x: room.left - 0.4 * rem, y: y(value) + 0.36 * rem }, text(value)));
  }
  return shapes;
}
