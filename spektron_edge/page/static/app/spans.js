// Spans of time as people choose them.

export const SPANS = { hour: 3600e3, day: 86400e3, week: 7 * 86400e3, month: 30 * 86400e3 };

// {from, to} in ISO 8601 UTC, null where open: a preset up to now, or the two fields' local times.
export function spanOf(choice, { from = "", to = "" } = {}, now = Date.now()) {
  if (choice in SPANS) return { from: new Date(now - SPANS[choice]).toISOString(), to: null };
  if (choice === "all") return { from: null, to: null };
  return { from: momentOf(from), to: momentOf(to) };
}

// A datetime-local value as ISO 8601 in UTC; null where it is none.
export function momentOf(text) {
  const date = text ? new Date(text) : null;
  return date && !Number.isNaN(date.getTime()) ? date.toISOString() : null;
}
