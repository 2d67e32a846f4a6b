// Replays a past interval on the same wall. The address names it: ?from=…&to=…&speed=10&known=then (or corrected).
//
// Beats and trends come from /replay/events in the format of the live ones. The bar below the header marks the page as a
// replay and moves through the interval. A change of time, speed or knowledge opens a new connection from there.

import { byId, make, write } from "./dom.js";
import { times } from "./format.js";

const SPEEDS = [1, 2, 5, 10, 30, 60];
const KNOWN = ["then", "corrected"];
const MINUTE = 60e3;
const HOUR = 60 * MINUTE;

export class Replay {
  #at = null; // site time that the replay stands at
  #site = null;
  #dragging = false;
  paused = false;
  ended = false;
  refused = null; // the reason why there is no replay, in both languages

  // `reopen` and `close` act on the connection; `changed` draws the page again.
  constructor({ reopen, close, changed }) {
    Object.assign(this, { reopen, close, changed });
    const address = new URLSearchParams(location.search);
    this.on = address.has("from") && address.has("to");
    this.form = new Form();
    byId("past-open").addEventListener("click", () => this.form.open(this.#site.time_zone));
    if (!this.on) return;
    this.request = { from: address.get("from"), to: address.get("to"), speed: address.get("speed") ?? "10", known: address.get("known") ?? "then" };
    document.documentElement.dataset.replay = this.request.known;
    byId("replay").hidden = false;
    this.slider = byId("replay-at");
    this.#listen();
  }

  get address() {
    const parameters = new URLSearchParams(this.request);
    if (this.#at !== null) parameters.set("at", Math.round(this.#at));
    return `/replay/events?${parameters}`;
  }

  // Site seconds that pass in a real one.
  get speed() {
    return this.paused || this.ended ? 0 : this.#site?.replay.speed ?? 0;
  }

  onSite(site) {
    byId("past-open").hidden = this.on;
    this.#site = site;
    if (!this.on) return;
    this.refused = null;
    const { from_ms, to_ms } = site.replay;
    Object.assign(this.slider, { min: from_ms, max: to_ms, step: 1000 });
  }

  onBeat(beat) {
    this.#at = beat.snapshot.site_ms;
    this.ended = beat.ended;
    if (!this.#dragging) this.slider.value = this.#at;
  }

  // Fetch the reason why there is no replay: EventSource does not return the answer of a refusal.
  async explain() {
    const stop = new AbortController();
    try {
      const answer = await fetch(this.address, { signal: stop.signal });
      this.refused = answer.ok ? null : await answer.json();
      if (answer.status === 400) this.close(); // another attempt would get the same answer
    } catch {
      this.refused = null; // no server: the page shows that itself
    } finally {
      stop.abort();
    }
    this.changed();
  }

  show(words, language) {
    this.form.show(words, language);
    if (!this.on) return;
    const { known } = this.request;
    write(byId("replay-title"), words.replay_title);
    write(byId("replay-known"), words[`replay_${known}`]);
    write(byId("replay-pause"), this.paused || this.ended ? "▶" : "❚❚");
    write(byId("replay-live"), words.replay_live);
    write(byId("replay-state"), this.ended ? words.replay_ended : this.paused ? words.replay_paused : "");
    byId("replay-speed").value = this.request.speed;
    if (!this.#site) return;
    const { short } = times(this.#site.time_zone, words.locale);
    write(byId("replay-from"), short(this.#site.replay.from_ms));
    write(byId("replay-to"), short(this.#site.replay.to_ms));
  }

  #listen() {
    const speed = byId("replay-speed");
    const speeds = [...new Set([...SPEEDS.map(String), this.request.speed])].sort((one, other) => one - other);
    speed.append(...speeds.map((each) => Object.assign(make("option", "", `×${each}`), { value: each })));
    speed.addEventListener("change", () => this.#change({ speed: speed.value }));
    byId("replay-known").addEventListener("click", () => this.#change({ known: KNOWN.find((each) => each !== this.request.known) }));
    byId("replay-pause").addEventListener("click", () => this.#toggle());
    byId("replay-live").addEventListener("click", () => location.assign(addressOf({})));
    byId("replay").addEventListener("click", (event) => event.target.matches("button") && event.target.blur()); // the space key is ours
    this.slider.addEventListener("input", () => (this.#dragging = true));
    this.slider.addEventListener("change", () => this.#seek(Number(this.slider.value)));
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.matches("input, button, select")) return;
      event.preventDefault();
      this.#toggle();
    });
  }

  #seek(site_ms) {
    this.#dragging = false;
    this.#at = site_ms;
    this.#play();
  }

  #toggle() {
    if (this.ended) return this.#seek(this.#site.replay.from_ms);
    if (this.paused) return this.#play();
    this.paused = true;
    this.close();
    this.changed();
  }

  #play() {
    this.paused = this.ended = false;
    this.reopen();
    this.changed();
  }

  #change(change) {
    Object.assign(this.request, change);
    document.documentElement.dataset.replay = this.request.known;
    history.replaceState(null, "", addressOf(this.request));
    this.#play();
  }
}

// The page's address with only these parameters of a replay.
function addressOf(request) {
  const address = new URL(location.href);
  for (const name of ["from", "to", "speed", "known"]) address.searchParams.delete(name);
  for (const [name, value] of Object.entries(request)) address.searchParams.set(name, value);
  return address;
}

// The dialog in which an interval is chosen; the server returns the limits.
class Form {
  constructor() {
    this.dialog = byId("past");
    this.from = byId("past-from");
    this.to = byId("past-to");
    byId("past-speed").append(...SPEEDS.map((each) => Object.assign(make("option", "", `×${each}`), { value: each, selected: each === 10 })));
    byId("past-start").addEventListener("click", () => this.#start());
    byId("past-cancel").addEventListener("click", () => this.dialog.close());
  }

  async open(timeZone) {
    this.dialog.showModal();
    const span = await fetchJson("/replay/span.json");
    if (!span || span.zh || span.last_ms === null) return this.#showError(span?.zh ? span : null);
    const local = (ms) => new Date(ms).toLocaleString("sv-SE", { timeZone }).slice(0, 16).replace(" ", "T");
    for (const input of [this.from, this.to]) Object.assign(input, { min: local(span.first_ms), max: local(span.last_ms) });
    this.to.value = local(span.last_ms);
    const recorded_ms = Math.ceil(span.then_from_ms / MINUTE) * MINUTE;
    this.from.value = local(Math.max(span.first_ms, span.last_ms - HOUR, Math.min(recorded_ms, span.last_ms - 5 * MINUTE)));
    this.#showError(null);
    this.recorded = local(span.then_from_ms).replace("T", " ");
  }

  show(words, language) {
    this.language = language;
    write(byId("past-recorded"), this.recorded ? words.past_recorded(this.recorded) : "");
  }

  #showError(reason) {
    write(byId("past-wrong"), reason ? reason[this.language] : "");
  }

  #start() {
    const known = byId("past-corrected").checked ? "corrected" : "then";
    if (!this.from.value || !this.to.value) return this.from.focus();
    location.assign(addressOf({ from: this.from.value, to: this.to.value, speed: byId("past-speed").value, known }));
  }
}

async function fetchJson(address) {
  try {
    return await (await fetch(address, { cache: "no-store" })).json();
  } catch {
    return null;
  }
}
