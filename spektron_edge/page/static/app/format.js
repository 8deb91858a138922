// Numbers, times and ages as people read them. Locale from the browser; units are kept as they come.

const LOCALE = typeof navigator === "undefined" ? "en" : navigator.language || "en";
const byDigits = new Map();

function digitsFormat(digits) {
  if (!byDigits.has(digits)) {
    const form = { minimumSignificantDigits: digits, maximumSignificantDigits: digits };
    byDigits.set(digits, new Intl.NumberFormat(LOCALE, form));
  }
  return byDigits.get(digits);
}

// A measured value, to so many significant digits; a dash for null. Powers of ten beyond 1e-3..1e6.
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 1).replace("e", " e");
  if (size >= 10 ** digits) return whole(value);
  return digitsFormat(digits).format(value);
}

const wholeFormat = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
export function whole(value) {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : wholeFormat.format(value);
}

// Decimals that tell an interval's width to two digits: value, low and high then line up.
export function decimalsFor(low, high) {
  const width = Math.abs(high - low);
  if (!Number.isFinite(width) || width === 0) return null;
  return Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(width))));
}

export function fixed(value, decimals) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const form = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return new Intl.NumberFormat(LOCALE, form).format(value);
}

// A value with its interval: {value, low, high} as texts of equal decimals; low and high null without one.
export function withInterval({ value, low, high }) {
  const decimals = low === null || high === null || low === undefined || high === undefined ? null : decimalsFor(low, high);
  if (decimals === null) {
    const text = (x) => (x === null || x === undefined ? null : number(x, 3));
    return { value: number(value, 3), low: text(low), high: text(high) };
  }
  return { value: fixed(value, decimals), low: fixed(low, decimals), high: fixed(high, decimals) };
}

// Seconds as an age with its unit, two steps at most: "45 s", "12 min", "3 h 20 min", "4 d 2 h".
export function age(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.floor(seconds));
  if (s < 120) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 48) return min % 60 ? `${h} h ${min % 60} min` : `${h} h`;
  const d = Math.floor(h / 24);
  return h % 24 ? `${d} d ${h % 24} h` : `${d} d`;
}

// Microseconds of an exposure: "900 us", "12.5 ms", "1.2 s".
export function exposure(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1000) return `${whole(us)} µs`;
  if (us < 1e6) return `${number(us / 1e3, 3)} ms`;
  return `${number(us / 1e6, 3)} s`;
}

const dayTime = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" });
const onlyTime = new Intl.DateTimeFormat(LOCALE, { timeStyle: "medium" });

// A moment (ISO 8601 or milliseconds) on this device's clock and zone.
export function moment(when) {
  const date = new Date(when);
  return Number.isNaN(date.getTime()) ? "–" : dayTime.format(date);
}

// Only the time of day where it was today.
export function clockTime(when, now = Date.now()) {
  const date = new Date(when);
  if (Number.isNaN(date.getTime())) return "–";
  return new Date(now).toDateString() === date.toDateString() ? onlyTime.format(date) : dayTime.format(date);
}

// `moisture_content` -> "Moisture content".
export function title(name) {
  const text = String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
