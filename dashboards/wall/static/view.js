// Puts the figures, areas and data health on the page. Only text is ever written, never markup.

import { age, count, known, share, times } from "./format.js";

const LEAST_TREND_REM = 8;

export const byId = (id) => document.getElementById(id);

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export function showWords(words) {
  for (const element of document.querySelectorAll("[data-word]")) write(element, words[element.dataset.word]);
  write(byId("language"), words.other);
}

function showNumber(id, text) {
  const element = byId(id);
  write(element, text);
  element.dataset.digits = text.length > 7 ? "many" : "few";
}

export function showFigures(snapshot, site, words, language) {
  const person = snapshot.today.person ?? {};
  const vehicle = snapshot.today.vehicle ?? {};
  const inside = snapshot.inside.person ?? {};
  const parked = snapshot.inside.vehicle ?? {};
  showNumber("entries", count(person.entries));
  showNumber("distinct", count(person.distinct));
  showNumber("vehicles", count(vehicle.entries));
  showNumber("inside", count(inside.inside));
  write(byId("share"), share(inside.share));
  const capacity = known(inside.capacity) ? words.of_capacity(count(inside.capacity)) : words.no_capacity;
  const partial = known(inside.inside) && inside.unheard ? ` · ${words.areas_unheard(inside.unheard)}` : "";
  write(byId("capacity"), capacity + partial);
  write(byId("persons-note"), words.persons_note(count(person.exits), person.unidentified ? count(person.unidentified) : ""));
  write(byId("vehicles-note"), words.vehicles_note(count(vehicle.exits), count(parked.inside)));
  byId("inside-tile").dataset.level = inside.level ?? "calm";
  byId("gauge").style.width = `${Math.max(0, Math.min(100, inside.share ?? 0))}%`;
  write(byId("ahead"), ahead(inside, words));
  showAreas(snapshot.areas, site, words, language);
}

// When the next level of the capacity is expected; it comes with no sign where nobody has foreseen one.
function ahead(area, words) {
  if (!area.ahead) return "";
  const { level, minutes, earliest, latest } = area.ahead;
  return words.ahead(level, minutes, earliest ?? "…", latest ?? "…");
}

function showAreas(areas, site, words, language) {
  const cells = byId("cells");
  while (cells.children.length > areas.length) cells.lastChild.remove();
  while (cells.children.length < areas.length) {
    const cell = make("div", "cell");
    cell.append(make("i", "fill"), make("span", "name"), make("b", "inside"), make("span", "share"), make("b", "ahead"));
    cells.append(cell);
  }
  areas.forEach((area, place) => {
    const cell = cells.children[place];
    const [fill, name, inside, percent, soon] = cell.children;
    cell.dataset.level = area.level;
    cell.dataset.known = known(area.inside);
    write(name, site.areas[area.id]?.[language] ?? area.id);
    write(inside, count(area.inside));
    write(percent, known(area.share) ? share(area.share) : "");
    write(soon, ahead(area, words));
    fill.style.width = `${Math.max(0, Math.min(100, area.share ?? 0))}%`;
  });
}

// Beside many alarms there may be no room for the trend: then the areas, which alarms are about, have it all.
export function fitSide() {
  const [side, trend] = [byId("side"), byId("trend")];
  trend.hidden = false;
  if (getComputedStyle(side).display === "contents") return;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  trend.hidden = side.clientHeight - byId("areas").offsetHeight < LEAST_TREND_REM * rem;
}

export function showAges(now, snapshot, site, words, language) {
  const format = times(site.time_zone, words.locale);
  const { health } = snapshot;
  write(byId("clock"), format.clock(now.site_ms));
  write(byId("date"), format.date(now.site_ms));
  byId("speed").hidden = site.speed === 1;
  write(byId("speed"), words.speed(site.speed));
  write(byId("age"), known(now.age_ms) ? words.age(age(now.age_ms, words)) : words.age_unknown);
  byId("age-pill").dataset.state = now.fresh === "ok" ? "good" : now.fresh === "old" ? "bad" : "unknown";
  showCompleteness(health, words);
  showHealth(now, snapshot, format, site, words, language);
}

function showCompleteness(health, words) {
  const never = health.lanes - health.heard - health.silent;
  const good = health.missing === 0 && never === 0 && health.logs_behind === 0 && health.rejected === 0;
  byId("complete-pill").dataset.state = !known(health.missing) ? "unknown" : good ? "good" : "warn";
  const text = health.missing ? words.incomplete(count(health.missing)) : good ? words.complete : words.health_lanes + " " + words.of(count(health.heard), count(health.lanes));
  write(byId("complete"), known(health.missing) ? text : words.complete_unknown);
}

function showHealth(now, snapshot, format, site, words, language) {
  const { health } = snapshot;
  const name = (entrance) => site.entrances[entrance]?.[language] ?? entrance;
  const never = health.lanes - health.heard - health.silent;
  const heard = known(health.missing);
  const worst = health.worst.slice(0, 2).map((row) => words.worst(name(row.entrance), row.device, count(row.missing)));
  const cells = [
    ["newest", words.health_newest, format.clock(snapshot.newest_ms), "", "plain"],
    ["lanes", words.health_lanes, heard ? words.of(count(health.heard), count(health.lanes)) : "–",
      heard ? (snapshot.open ? words.lanes_detail(never, health.silent) : words.closed) : "", heard && never && snapshot.open ? "warn" : "plain"],
    ["missing", words.health_missing, count(health.missing), worst.join("　"), health.missing ? "warn" : "plain"],
    ["rejected", words.health_rejected, count(health.rejected), "", health.rejected ? "warn" : "plain"],
    ["logs", words.health_logs, health.logs ? words.of(count(health.logs_behind), count(health.logs)) : "–", "", health.logs_behind ? "bad" : "plain"],
  ];
  const strip = byId("health");
  if (!strip.children.length) {
    for (const [id] of cells) {
      const cell = make("div", "vital");
      cell.id = `health-${id}`;
      cell.append(make("span", "name"), make("b", "value"), make("span", "detail"));
      strip.append(cell);
    }
  }
  cells.forEach(([, title, value, detail, condition], place) => {
    const cell = strip.children[place];
    [title, value, detail].forEach((text, part) => write(cell.children[part], text));
    cell.dataset.state = condition;
  });
}
