// Columns of a control sample's plot: seconds, value, value where it failed, and the limits.

export const LEVELS = ["target_high", "target_low", "centre", "sigma_high", "sigma_low"];

// points: of a trend; levels: by name. Those that are there, across the whole plot and a little beyond, so that a
// single point has its limits as well.
export function trendColumns(points, levels) {
  const sorted = points.map((p) => ({ ...p, at: Date.parse(p.utc) / 1000 })).sort((a, b) => a.at - b.at);
  const [first, last] = [sorted[0].at, sorted.at(-1).at];
  const beside = Math.max((last - first) * 0.05, 3600);
  const ends = (list) => [null, ...list, null];
  const at = [first - beside, ...sorted.map((p) => p.at), last + beside];
  const columns = LEVELS.filter((name) => name in levels).map((name) => at.map(() => levels[name]));
  return [at, ends(sorted.map((p) => p.value)), ends(sorted.map((p) => (p.verdict === "fail" ? p.value : null))), ...columns];
}
