// What is in use beside what is proposed, as rows to be shown.

// Figures of the guard that exist before and after a proposal; less is better in each.
const JUDGED = ["misfit", "apart", "loss"];

// Values of the sample in the beam, now and with proposal `number`: [{name, unit, now, then,
// change}]; [] where no shadow of this proposal is computed.
export function valueRows(number, prediction) {
  const shadow = prediction?.shadow;
  if (shadow?.adaptation?.version !== number) return [];
  return Object.entries(prediction.values).map(([name, { value: now, unit }]) => {
    const then = shadow.values[name]?.value ?? null;
    return { name, unit, now, then, change: now === null || then === null ? null : then - now };
  });
}

// [{name, before, after, better}] of a proposal's metrics.
export function judgedRows(metrics) {
  return JUDGED.filter((name) => metrics?.[`${name}_before`] !== undefined && metrics[`${name}_after`] !== undefined)
    .map((name) => ({ name, before: metrics[`${name}_before`], after: metrics[`${name}_after`] }))
    .filter(({ before, after }) => before !== 0 || after !== 0)
    .map((row) => ({ ...row, better: row.after < row.before }));
}

// What speaks against a proposal.
export function against(entry) {
  return [...entry.refusals, ...entry.doubts, ...(entry.tried ?? [])];
}

// Columns for a plot: x, in use, proposed; null without a curve. What is in use corrects nothing
// where it is the bundle's own calibration.
export function curves(proposed, inUse) {
  const { wavelength_nm: x, correction } = proposed ?? {};
  if (!x?.length || correction?.length !== x.length) return null;
  const same = inUse?.correction?.length === x.length && inUse.wavelength_nm?.every((v, i) => v === x[i]);
  if (inUse && !same) return null;
  const now = same ? inUse.correction : x.map(() => 0);
  const columns = [x, now, correction].map((values) => Array.from(values, (v) => (Number.isFinite(v) ? v : null)));
  return x[0] > x[x.length - 1] ? columns.map((values) => values.reverse()) : columns;
}

// Signs of drift: how many are over their limits, of how many.
export function overOf(evidence) {
  return { over: evidence.filter((e) => e.over).length, of: evidence.length };
}

// How far the approval of a proposal is.
export function approvals(entry, needed) {
  const by = entry.approved_by;
  return { by, given: by.length, needed, missing: Math.max(0, needed - by.length) };
}
