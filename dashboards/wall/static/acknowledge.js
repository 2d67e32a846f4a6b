// Acknowledges alarms from the keyboard: choose with the arrows or Tab, Enter acknowledges, Esc leaves.
//
// The request names the change of the alarm that was shown when it was chosen. If the alarm has become worse since, the
// server refuses; to choose it again, or to press Enter once more, acknowledges the new change.

import { byId, write } from "./dom.js";

const NAME = "gatepulse.operator";
const LONGEST_NAME = 64;
const IDLE_MS = 60_000; // a choice that nobody touches is given up
const NOTE_MS = 15_000;
const EFFECT_MS = 20_000; // from the brokers' answer until the alarm should have changed
const ANSWER_MS = 50_000; // the server gives up before

export class Acknowledger {
  chosen = null; // episode
  #seen = 0; // its change when it was chosen
  #touched = 0;
  #alarms = [];
  #sending = new Map(); // episode → { change, since }; since: when the brokers had it, null before
  #notice = null; // { text(words, language), until }
  #name = "";
  #open = false; // whether this wall takes acknowledgements
  #pending = null; // the request that is sent once there is a name

  constructor(changed) {
    this.changed = changed;
    this.dialog = byId("operator");
    this.input = byId("operator-name");
    this.#name = readName();
    document.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("keydown", (event) => this.#onNameKey(event));
  }

  // Take the alarms that are shown now.
  update(alarms, site) {
    this.#alarms = alarms;
    this.#open = site.acknowledge;
    if (this.chosen && !this.#find(this.chosen)) this.#leave();
    if (this.chosen && !this.dialog.open && performance.now() - this.#touched > IDLE_MS) this.#leave();
    for (const [episode, sent] of this.#sending) this.#settle(episode, sent);
  }

  isSending(episode) {
    return this.#sending.has(episode);
  }

  note(words, language) {
    if (!this.#notice || performance.now() > this.#notice.until) return "";
    return this.#notice.text(words, language);
  }

  hint(site, words) {
    if (!site.acknowledge) return words.ack_keys_look;
    return this.chosen ? words.ack_keys_chosen(this.#name) : words.ack_keys;
  }

  choose(episode) {
    const alarm = this.#find(episode);
    if (!alarm) return;
    this.chosen = episode;
    this.#seen = alarm.change;
    this.#touched = performance.now();
    document.activeElement?.blur(); // Enter is for the alarm now
    this.changed();
  }

  #find(episode) {
    return this.#alarms.find((alarm) => alarm.episode === episode);
  }

  #leave() {
    this.chosen = null;
    this.changed();
  }

  #onKey(event) {
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (this.#acts(event)) event.preventDefault();
  }

  // Whether the key is one of ours; any key shows that somebody is there.
  #acts(event) {
    this.#touched = performance.now();
    switch (event.key) {
      case "ArrowDown": return this.#step(1);
      case "ArrowUp": return this.#step(-1);
      case "Tab": return this.#tab(event.shiftKey ? -1 : 1);
      case "Enter": return this.chosen !== null && (event.repeat || this.#acknowledge());
      case "Escape": return this.chosen !== null && (this.#leave(), true);
      case "n": case "N": return this.chosen !== null && this.#open && this.#askName(null);
      default: return false;
    }
  }

  #step(by) {
    const place = this.#alarms.findIndex((alarm) => alarm.episode === this.chosen);
    const next = place < 0 ? (by > 0 ? 0 : this.#alarms.length - 1) : place + by;
    this.choose(this.#alarms[Math.max(0, Math.min(next, this.#alarms.length - 1))]?.episode);
    return this.#alarms.length > 0;
  }

  // Beyond the last alarm, and from any button, Tab goes where it goes on any page.
  #tab(by) {
    if (!this.chosen && document.activeElement !== document.body) return false;
    const place = this.#alarms.findIndex((alarm) => alarm.episode === this.chosen);
    const next = place < 0 ? (by > 0 ? 0 : -1) : place + by;
    if (next >= 0 && next < this.#alarms.length) return this.#step(by);
    if (this.chosen) this.#leave();
    return false;
  }

  #acknowledge() {
    const alarm = this.#find(this.chosen);
    if (!this.#open) this.#notify((words) => words.ack_closed);
    else if (alarm.state === "acknowledged") this.#notify((words, language) => alarm.told[language]);
    else if (this.#sending.has(alarm.episode)) this.#notify((words) => words.ack_sending);
    else if (!this.#name) this.#askName({ episode: alarm.episode, change: this.#seen });
    else this.#send({ episode: alarm.episode, change: this.#seen });
    return true;
  }

  async #send(request) {
    this.#sending.set(request.episode, { change: request.change, since: null });
    this.#notice = null;
    this.changed();
    const refusal = await post({ ...request, actor: this.#name });
    if (refusal) {
      this.#sending.delete(request.episode);
      const alarm = this.#find(request.episode);
      if (alarm && this.chosen === request.episode) this.#seen = alarm.change; // Enter again is a new look at it
      this.#notify(refusal);
    } else if (this.#sending.has(request.episode)) {
      this.#sending.set(request.episode, { change: request.change, since: performance.now() });
    }
  }

  // A sent request has taken effect once the alarm itself is acknowledged.
  #settle(episode, { since }) {
    const alarm = this.#find(episode);
    if (!alarm || alarm.state === "acknowledged") this.#sending.delete(episode);
    else if (since !== null && performance.now() - since > EFFECT_MS) {
      this.#sending.delete(episode);
      this.#notify((words) => words.ack_no_effect);
    }
  }

  #notify(text) {
    this.#notice = { text, until: performance.now() + NOTE_MS };
    this.changed();
  }

  // Open the dialog for the operator's name; `request`, if there is one, is sent in that name.
  #askName(request) {
    this.#pending = request;
    this.input.value = this.#name;
    write(byId("operator-wrong"), "");
    this.dialog.showModal();
    this.input.select();
    return true;
  }

  #onNameKey(event) {
    if (event.key !== "Enter" || event.isComposing) return; // Enter also ends the writing of a Chinese word
    event.preventDefault();
    event.stopPropagation(); // it must not acknowledge as well
    const name = this.input.value.trim();
    const right = name && [...name].length <= LONGEST_NAME && !/\p{C}|\p{Zl}|\p{Zp}/u.test(name);
    if (!right) return write(byId("operator-wrong"), byId("operator-hint").textContent);
    this.#name = name;
    storeName(name);
    this.dialog.close();
    this.#touched = performance.now();
    if (this.#pending) this.#send(this.#pending);
    else this.changed();
  }
}

// Send the request; null when it was sent, otherwise the text of the refusal.
async function post(body) {
  try {
    const answer = await fetch("/alarms/ack", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.status === 202) return null;
    const reason = await answer.json().catch(() => null);
    return (words, language) => reason?.[language] ?? words.ack_failed(answer.status);
  } catch {
    return (words) => words.ack_unreachable;
  }
}

// A browser may forbid storage: then the operator enters the name after each loading.
function readName() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

function storeName(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // The page itself still has it.
  }
}
