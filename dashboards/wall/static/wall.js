// Connects the parts of the page: shows each beat, and updates the age of the figures four times a second.

import { Acknowledger } from "./acknowledge.js";
import { Strip } from "./alarms.js";
import { byId, write } from "./dom.js";
import { age, known, times } from "./format.js";
import { showHealth } from "./health.js";
import { Replay } from "./replay.js";
import { Screen } from "./screen.js";
import { Stream, Transit } from "./stream.js";
import { WORDS, chooseLanguage, chosenLanguage } from "./words.js";

const SILENT_AFTER_MS = 3000; // nothing from the server for this long: the figures are old
const RELOAD_AFTER_MS = 3600e3; // a page younger than this has no need of its nightly reload
const RELOAD_SPREAD_MS = 10 * 60e3; // displays do not all reload in the same second

const state = {
  site: null, // the server's card of the site
  beat: null, // the server's last beat
  arrived: 0, // when that came, by our own clock
  delay: 0, // how long it was on its way
  trends: null,
  language: chosenLanguage("zh"),
  loaded: performance.now(),
  reload_at: null, // site time
  reloading: false,
};

const transit = new Transit();
const screen = new Screen(() => showAll());
const stream = new Stream(() => (replay.on ? replay.address : "/events"), { site: onSite, beat: onBeat, trend: onTrend }, onFailure);
const replay = new Replay({ reopen, close: () => stream.close(), changed: () => showAll() });
const strip = new Strip(new Acknowledger(() => showFreshness()));

function words() {
  return WORDS[state.language];
}

function onSite(site) {
  if (state.site && state.site.page !== site.page) location.reload(); // the server has a newer page
  state.site = site;
  replay.onSite(site);
  screen.set(site.screens);
  setLanguage(chosenLanguage(site.language));
}

function onBeat(beat) {
  const now = performance.now();
  state.beat = beat;
  state.delay = transit.delay(beat, now);
  state.arrived = now;
  if (replay.on) replay.onBeat(beat);
  state.reload_at ??= beat.snapshot.quiet_ms + Math.random() * RELOAD_SPREAD_MS;
  showAll();
}

function onTrend(trends) {
  state.trends = trends;
  showAll();
}

function reopen() {
  state.arrived = performance.now(); // the figures count as fresh until the new connection has had its time
  stream.open();
}

function onFailure() {
  if (replay.on) replay.explain();
}

function setLanguage(language) {
  state.language = language;
  document.documentElement.lang = words().locale;
  for (const element of document.querySelectorAll("[data-word]")) write(element, words()[element.dataset.word]);
  write(byId("language"), words().other);
  showAll();
}

function showAll() {
  showFreshness();
  const { site, beat, trends, language } = state;
  if (!site) return;
  document.title = site.title[language];
  write(byId("title"), screen.title[language]);
  if (!beat) return;
  const { site_ms } = freshness(performance.now());
  const format = times(site.time_zone, words().locale);
  screen.show({ snapshot: beat.snapshot, trends, site, words: words(), language, format, site_ms });
}

// The age of the figures by the page's own clock: the server may be gone.
function freshness(now) {
  const { beat } = state;
  if (!beat) return { fresh: "none", kind: "starting" };
  const snapshot = beat.snapshot;
  const since = now - state.arrived;
  const lag_ms = replay.on ? 0 : state.delay + since; // a replay does not grow older
  const gone_ms = replay.on ? Math.min(since, SILENT_AFTER_MS) * replay.speed : since * state.site.speed;
  const age_ms = known(snapshot.age_ms) ? snapshot.age_ms + lag_ms : null;
  const common = { lag_ms, age_ms, real_ms: snapshot.real_ms + lag_ms, site_ms: snapshot.site_ms + gone_ms };
  if (since > SILENT_AFTER_MS && !replay.paused) return { ...common, fresh: "old", kind: replay.on ? "replay_lost" : "link_lost", since: snapshot.real_ms };
  if (snapshot.store === "starting") return { ...common, fresh: "none", kind: "starting" };
  if (snapshot.store === "lost") return { ...common, fresh: "old", kind: "store_lost", since: snapshot.lost_since_ms };
  if (age_ms === null) return { ...common, fresh: "none", kind: "no_data" };
  if (age_ms > state.site.stale_after_ms) return { ...common, fresh: "old", kind: "stale", since: snapshot.complete_to_ms };
  if (age_ms < -state.site.stale_after_ms) return { ...common, fresh: "old", kind: "ahead" };
  return { ...common, fresh: "ok", kind: "ok" };
}

function bannerText(now) {
  const text = words();
  if (replay.refused) return replay.refused[state.language];
  if (now.kind === "ok") return "";
  if (now.kind === "replay_lost") return text.replay_lost;
  if (now.kind === "ahead") return text.clock_ahead(age(-now.age_ms, text));
  if (!known(now.since)) return text[now.kind];
  // In site time, as the wall's clock shows it: in a demonstration the machine's own clock shows another time.
  const since_site_ms = now.site_ms - (now.real_ms - now.since) * state.site.speed;
  const since = times(state.site.time_zone, text.locale).moment(since_site_ms, now.site_ms);
  return text[now.kind](since, age(now.age_ms, text));
}

function showFreshness() {
  const now = freshness(performance.now());
  document.documentElement.dataset.fresh = now.fresh;
  document.documentElement.dataset.kind = now.kind;
  const banner = byId("banner");
  const text = bannerText(now);
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = text === "";
  replay.show(words(), state.language);
  if (!state.site || !state.beat) return strip.wait(words());
  showHealth(now, state.beat.snapshot, state.site, words(), state.language);
  strip.show(now, state.beat.snapshot.strip, state.site, words(), state.language);
}

// The memory of browsers grows over weeks, so the page reloads each night, but only if the server answers.
async function reloadAtNight() {
  if (!state.beat || state.reloading || replay.on) return;
  const now = freshness(performance.now());
  if (now.site_ms < state.reload_at || performance.now() - state.loaded < RELOAD_AFTER_MS) return;
  state.reloading = true;
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (answer.ok) location.reload();
  } catch {
    // No server, no reload: an error page would not come back by itself.
  } finally {
    state.reloading = false;
  }
}

byId("language").addEventListener("click", () => {
  const language = state.language === "zh" ? "en" : "zh";
  chooseLanguage(language);
  setLanguage(language);
});

new ResizeObserver(showAll).observe(byId("screen"));
setInterval(showFreshness, 250);
setInterval(reloadAtNight, 10_000);
setLanguage(state.language);
stream.open();
