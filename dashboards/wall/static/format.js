// Numbers and times as text. An unknown value is a dash, never a zero.

const UNKNOWN = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const known = (value) => value !== null && value !== undefined;

export const count = (value) => (known(value) ? whole.format(value) : UNKNOWN);

// Per cent, rounded down: 99.97 % must not read as full.
export const share = (value) => (known(value) ? `${whole.format(Math.floor(value))}%` : UNKNOWN);

// How much of something is filled, in per cent from 0 to 100, for drawings.
export const filled = (share) => Math.max(0, Math.min(100, share ?? 0));

// Minutes to wait: "<1" is a short queue, "∞" one that nobody works on.
export function waiting(wait) {
  if (!wait) return UNKNOWN;
  if (!known(wait.minutes)) return "∞";
  return wait.minutes > 0 && wait.minutes < 1 ? "<1" : whole.format(wait.minutes);
}

export function age(ms, words) {
  if (!known(ms)) return UNKNOWN;
  const seconds = Math.abs(ms) / 1000;
  const sign = ms <= -1000 ? "−" : "";
  if (seconds < 10) return sign + words.seconds(tenth.format(Math.max(0, seconds)));
  if (seconds < 120) return sign + words.seconds(whole.format(seconds));
  if (seconds < 7200) return sign + words.minutes(whole.format(Math.floor(seconds / 60)));
  return sign + words.hours(tenth.format(Math.floor(seconds / 360) / 10));
}

// The same in one whole unit and one letter, where there is little room.
export function shortAge(ms, words) {
  if (!known(ms)) return UNKNOWN;
  const seconds = Math.round(Math.abs(ms) / 1000);
  const [value, unit] = seconds < 100 ? [seconds, "s"] : seconds < 6000 ? [seconds / 60, "m"] : seconds < 172_800 ? [seconds / 3600, "h"] : [seconds / 86_400, "d"];
  return `${ms <= -1000 ? "−" : ""}${Math.floor(value)}${words.units[unit]}`;
}

const writers = new Map(); // making one takes the browser longer than using it

// Writers of times in the site's time zone. `moment` adds the date when it is not that of `today_ms`.
export function times(zone, locale) {
  const key = `${zone} ${locale}`;
  if (!writers.has(key)) writers.set(key, writersOf(zone, locale));
  return writers.get(key);
}

function writersOf(zone, locale) {
  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });
  const short = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const date = new Intl.DateTimeFormat(locale, { timeZone: zone, year: "numeric", month: "long", day: "numeric", weekday: "short" });
  const day = new Intl.DateTimeFormat("sv-SE", { timeZone: zone });
  return {
    clock: (ms) => (known(ms) ? clock.format(ms) : UNKNOWN),
    short: (ms) => short.format(ms),
    date: (ms) => date.format(ms),
    moment: (ms, today_ms) => (day.format(ms) === day.format(today_ms) ? clock.format(ms) : `${day.format(ms)} ${clock.format(ms)}`),
  };
}
