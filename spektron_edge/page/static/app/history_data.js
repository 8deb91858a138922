// Columns of the history's plot: seconds, values, the interval's ends, and what was not valid.

// An answer of GET /history with newer predictions behind it, as uPlot's columns
// [seconds, value, interval's high and low, most and least of each bin, value where not valid].
export function columns(answer, newer, property) {
  const seconds = answer.utc.map((utc) => Date.parse(utc) / 1000);
  const [value, low, high, least, most, valid] = ["value", "low", "high", "least", "most", "valid"].map((name) => [...answer[name]]);
  const last = seconds.at(-1) ?? -Infinity;
  for (const record of newer) {
    const at = Date.parse(record.time.utc) / 1000;
    const found = record.values[property];
    // Plots want time to rise; a clock that was set back is shown from the next fetch on.
    if (!found || !(at > Math.max(last, seconds.at(-1) ?? last))) continue;
    seconds.push(at);
    value.push(found.value);
    least.push(found.value);
    most.push(found.value);
    low.push(found.low);
    high.push(found.high);
    valid.push(record.valid);
  }
  return [seconds, value.map((v, i) => (valid[i] ? v : null)), high, low, most, least, value.map((v, i) => (valid[i] ? null : v))];
}

export const RANGES = { minutes: 600, hour: 3600, day: 86400, week: 604800 };

// {from, to} as ISO 8601 of a range that ends now, or of a window of seconds.
export function asked(range, window, now) {
  const iso = (seconds) => new Date(seconds * 1000).toISOString();
  return window ? { from: iso(window[0]), to: iso(window[1]) } : { from: iso(now / 1000 - RANGES[range]), to: null };
}
