// What a plot of a spectrum shows: columns for uPlot, x in nm first.

export const KINDS = ["absorbance", "counts", "difference"];

// [columns, channels marked] of one kind; null where the spectrum does not hold it.
// axis: Float64Array of nm, rising or falling; mean: absorbance of the source on it, or null.
export function columns(kind, spectrum, axis, mean) {
  if (!spectrum || !axis || spectrum.points !== axis.length) return null;
  if (kind === "counts") {
    if (!spectrum.counts) return null;
    return ordered(axis, [spectrum.counts, spectrum.white, spectrum.dark]);
  }
  if (!spectrum.absorbance || (kind === "difference" && mean?.length !== axis.length)) return null;
  const line = Float64Array.from(spectrum.absorbance, (a, i) => (kind === "difference" ? a - mean[i] : a));
  const band = spectrum.sigma && ((sign) => line.map((a, i) => a + sign * 2 * spectrum.sigma[i]));
  return ordered(axis, [line, band ? band(1) : null, band ? band(-1) : null]);
}

// uPlot wants x rising; instruments may count down. Numbers that are none become gaps.
function ordered(axis, lines) {
  const falling = axis.length > 1 && axis[0] > axis[axis.length - 1];
  const turned = (values) => {
    if (!values) return new Array(axis.length).fill(null);
    const list = Array.from(values, (v) => (Number.isFinite(v) ? v : null));
    return falling ? list.reverse() : list;
  };
  return [turned(axis), ...lines.map(turned)];
}

// Wavelengths of channels, for marks.
export function places(channels, axis) {
  return axis ? channels.filter((c) => c >= 0 && c < axis.length).map((c) => axis[c]) : [];
}

// Least, most and last of a column, for the sentence beside a plot; null for one without numbers.
export function extent(values) {
  let [least, most, last] = [Infinity, -Infinity, null];
  for (const v of values) {
    if (v === null || !Number.isFinite(v)) continue;
    if (v < least) least = v;
    if (v > most) most = v;
    last = v;
  }
  return last === null ? null : { least, most, last };
}
