// Shows the strip of alarms: the worst few in large letters, the number of the others, and whether "no alarm" is proven.
//
// The server words the alarms. acknowledge.js lets operators choose and acknowledge them.

import { count, known, times } from "./format.js";
import { byId, fit, make, write } from "./dom.js";

const ROWS = 3; // more would push the figures off the wall
const WIDE = matchMedia("(min-aspect-ratio: 5/2)");
const PARTS = ["level", "where", "what", "value", "zone", "lasting", "told"];
const LEVELS = ["red", "orange", "yellow"];

const over = (alarm) => alarm.state === "cleared-unacknowledged";

export class Strip {
  #first = 0;

  // `acknowledger` knows which alarm is chosen, and the state of its acknowledgement.
  constructor(acknowledger) {
    this.acknowledger = acknowledger;
    this.rows = byId("alarms");
  }

  // Before the first beat.
  wait(words) {
    write(byId("strip-title"), words.alarms_waiting);
  }

  show(now, strip, site, words, language) {
    const { alarms } = strip;
    this.acknowledger.update(alarms, site);
    const unproven = whyNotProven(now, strip, site, words);
    const columns = WIDE.matches ? 2 : 1;
    const shown = this.#window(alarms, ROWS * columns);
    byId("strip").dataset.state = unproven ? "unproven" : alarms.length ? "alarm" : "calm";
    this.#showHead(strip, unproven, alarms.length - shown.length, site, words, language);
    this.#fit(shown.length, columns);
    shown.forEach((alarm, place) => this.#showRow(this.rows.children[place], alarm, site, words, language));
  }

  // The part of the list around the alarm that is chosen.
  #window(alarms, size) {
    const chosen = alarms.findIndex((alarm) => alarm.episode === this.acknowledger.chosen);
    if (chosen < 0) return worst(alarms, size);
    this.#first = Math.min(Math.max(this.#first, chosen - size + 1), chosen, Math.max(0, alarms.length - size));
    return alarms.slice(this.#first, this.#first + size);
  }

  #showHead({ alarms, shelved }, unproven, hidden, site, words, language) {
    const open = alarms.filter((alarm) => !over(alarm));
    const level = (name) => open.filter((alarm) => alarm.level === name).length;
    const waiting = alarms.filter((alarm) => alarm.state !== "acknowledged").length;
    const counts = [
      ...LEVELS.map((name) => level(name) && `${site.levels[name][language]} ${count(level(name))}`),
      open.length < alarms.length && words.alarms_over(count(alarms.length - open.length)),
      shelved > 0 && words.alarms_shelved(count(shelved)),
    ];
    write(byId("strip-title"), unproven || (open.length ? words.alarms_open(count(open.length)) : words.alarms_none));
    write(byId("strip-waiting"), waiting ? words.alarms_unacknowledged(count(waiting)) : "");
    write(byId("strip-more"), hidden > 0 ? words.alarms_more(count(hidden)) : "");
    write(byId("strip-counts"), this.acknowledger.chosen ? "" : counts.filter(Boolean).join(" · ")); // room for the keys
    write(byId("strip-note"), this.acknowledger.note(words, language));
    write(byId("strip-keys"), alarms.length ? this.acknowledger.hint(site, words) : "");
  }

  #fit(length, columns) {
    const lines = Math.ceil(length / columns);
    this.rows.style.setProperty("--columns", columns);
    this.rows.style.setProperty("--lines", Math.max(1, lines));
    this.rows.dataset.lines = lines;
    fit(this.rows, length, () => this.#newRow());
  }

  #newRow() {
    const row = make("li", "alarm");
    row.setAttribute("role", "option");
    row.append(...PARTS.map((part) => make("span", part)));
    row.addEventListener("click", () => this.acknowledger.choose(row.dataset.episode));
    return row;
  }

  #showRow(row, alarm, site, words, language) {
    const sending = this.acknowledger.isSending(alarm.episode);
    const texts = [site.levels[alarm.level] ?? { zh: alarm.level, en: alarm.level }, ...PARTS.slice(1).map((part) => alarm[part])];
    texts.forEach((text, place) => write(row.children[place], text[language]));
    if (sending) write(row.lastChild, words.ack_sending);
    const facts = { episode: alarm.episode, level: alarm.level, state: alarm.state, sending };
    for (const [name, value] of Object.entries(facts)) if (row.dataset[name] !== String(value)) row.dataset[name] = value;
    row.setAttribute("aria-selected", alarm.episode === this.acknowledger.chosen);
  }
}

// The worst few; if all of these are acknowledged, the last place is for the worst one that is not.
function worst(alarms, size) {
  const few = alarms.slice(0, size);
  const waiting = alarms.find((alarm) => alarm.state === "raised");
  return !waiting || few.includes(waiting) ? few : [...few.slice(0, -1), waiting];
}

// The reason why the strip does not prove that there is no other alarm; "" while it does.
function whyNotProven(now, strip, site, words) {
  if (now.fresh !== "ok") return now.fresh === "none" ? words.alarms_waiting : words.alarms_unknown;
  if (strip.watch === "no-view") return words.alarms_no_view;
  if (strip.watch === "unheard" || !known(strip.age_ms)) return words.alarms_unheard;
  const age_ms = strip.age_ms + now.lag_ms;
  if (strip.watch === "ok" && Math.abs(age_ms) <= site.stale_after_ms) return "";
  const judged_site_ms = now.site_ms - age_ms * site.speed;
  return words.alarms_behind(times(site.time_zone, words.locale).moment(judged_site_ms, now.site_ms));
}
