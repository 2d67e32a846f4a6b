// How old and how complete the figures are: the pills beside the clock, and the line at the foot.

import { age, count, known, times } from "./format.js";
import { byId, fit, make, write } from "./dom.js";

export function showHealth(now, snapshot, site, words, language) {
  const format = times(site.time_zone, words.locale);
  const { health } = snapshot;
  write(byId("clock"), format.clock(now.site_ms));
  write(byId("date"), format.date(now.site_ms));
  byId("speed").hidden = site.speed === 1;
  write(byId("speed"), words.speed(site.speed));
  write(byId("age"), ageText(now, site.replay, words));
  byId("age-pill").dataset.state = now.fresh === "ok" ? "good" : now.fresh === "old" ? "bad" : "unknown";
  showCompleteness(health, words, language);
  showVitals(snapshot, format, site, words, language);
}

function ageText(now, replay, words) {
  if (replay?.known === "corrected") return words.replay_age_corrected;
  if (!known(now.age_ms)) return words.age_unknown;
  return (replay ? words.replay_age : words.age)(age(now.age_ms, words));
}

function showCompleteness(health, words, language) {
  const [notice] = health.notices ?? [];
  if (notice) {
    byId("complete-pill").dataset.state = "bad";
    write(byId("complete"), notice.said[language]);
    return;
  }
  const never = health.lanes - health.heard - health.silent;
  const good = health.missing === 0 && never === 0 && health.logs_behind === 0 && health.rejected === 0;
  byId("complete-pill").dataset.state = !known(health.missing) ? "unknown" : good ? "good" : "warn";
  const text = health.missing ? words.incomplete(count(health.missing)) : good ? words.complete : words.health_lanes + " " + words.of(count(health.heard), count(health.lanes));
  write(byId("complete"), known(health.missing) ? text : words.complete_unknown);
}

function showVitals(snapshot, format, site, words, language) {
  const { health } = snapshot;
  const name = (entrance) => site.entrances[entrance]?.title[language] ?? entrance;
  const never = health.lanes - health.heard - health.silent;
  const hasEvents = known(health.missing);
  const worst = health.worst.slice(0, 2).map((row) => words.worst(name(row.entrance), row.device, count(row.missing)));
  const cells = [
    ["newest", words.health_newest, format.clock(snapshot.newest_ms), [], "plain"],
    ["lanes", words.health_lanes, hasEvents ? words.of(count(health.heard), count(health.lanes)) : "–",
      [hasEvents ? (snapshot.open ? words.lanes_detail(never, health.silent) : words.closed) : ""], hasEvents && never && snapshot.open ? "warn" : "plain"],
    ["missing", words.health_missing, count(health.missing), worst, health.missing ? "warn" : "plain"],
    ["rejected", words.health_rejected, count(health.rejected), [], health.rejected ? "warn" : "plain"],
    ["logs", words.health_logs, health.logs ? words.of(count(health.logs_behind), count(health.logs)) : "–", [], health.logs_behind ? "bad" : "plain"],
  ];
  const strip = byId("health");
  fit(strip, cells.length, newVital);
  cells.forEach(([id, title, value, detail, condition], place) => {
    const cell = strip.children[place];
    cell.id = `health-${id}`;
    const texts = [title, value, ...detail.filter(Boolean)];
    fit(cell, texts.length, () => make("span", "detail"));
    texts.forEach((text, part) => write(cell.children[part], text));
    cell.dataset.state = condition;
  });
}

function newVital() {
  const cell = make("div", "vital");
  cell.append(make("span", "name"), make("b", "value"));
  return cell;
}
