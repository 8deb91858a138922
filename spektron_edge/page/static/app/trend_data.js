// Columns of a control sample's plot: seconds, value, the ends of each band of limits, value where it failed.

const BANDS = [["usual", "sigma_high", "sigma_low"], ["tolerance", "target_high", "target_low"]];

// [[name, high, low], ..] of the limits that are there, the narrow one first.
export function bandsOf(levels) {
  return BANDS.filter(([, high, low]) => high in levels && low in levels).map(([name, high, low]) => [name, levels[high], levels[low]]);
}

// points: of a trend; levels: by name. The limits go a little beyond, so that a single point has them as well.
export function trendColumns(points, levels) {
  const sorted = points.map((p) => ({ ...p, at: Date.parse(p.utc) / 1000 })).sort((a, b) => a.at - b.at);
  const [first, last] = [sorted[0].at, sorted.at(-1).at];
  const beside = last > first ? (last - first) * 0.05 : 3600;
  const ends = (list) => [null, ...list, null];
  const at = [first - beside, ...sorted.map((p) => p.at), last + beside];
  const limits = bandsOf(levels).flatMap(([, high, low]) => [at.map(() => high), at.map(() => low)]);
  return [at, ends(sorted.map((p) => p.value)), ...limits, ends(sorted.map((p) => (p.verdict === "fail" ? p.value : null)))];
}
