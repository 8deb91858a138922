// Where a guided transfer stands, from what GET /transfer tells.

// Samples of the source that a fit needs (docs/transfer.md).
export const LEAST = 3;
export const STEPS = ["start", "measure", "compute", "use"];

// The step that is next. A result of an open session is there to be decided on.
export function step({ open, fitting, last }) {
  if (!open) return "start";
  if (fitting) return "compute";
  if (last && !last.accepted) return "use";
  const { missing, left } = progress(open);
  return missing === 0 && left.length === 0 ? "compute" : "measure";
}

// measured of total; left: those in hand that are not measured; missing: until a fit is possible;
// doubtful: measured ones that something is wrong with.
export function progress(open) {
  const measured = new Set(open.samples.map((s) => s.sample));
  const left = open.wanted.filter((sample) => !measured.has(sample));
  const usable = open.samples.filter((s) => s.quality !== "bad").length;
  return {
    measured: measured.size,
    total: measured.size + left.length,
    left,
    missing: Math.max(0, LEAST - usable),
    doubtful: open.samples.filter((s) => s.quality !== "good").map((s) => s.sample),
  };
}

// What was typed about the cups in hand: {chosen, unknown}. Commas part them; spaces do where the
// source knows no sample of such a name.
export function parseSamples(text, known) {
  const [chosen, unknown] = [new Set(), []];
  for (const part of text.split(/[,;\n]+/).map((p) => p.trim()).filter(Boolean)) {
    for (const name of known.includes(part) ? [part] : part.split(/\s+/)) {
      if (known.includes(name)) chosen.add(name);
      else unknown.push(name);
    }
  }
  return { chosen: [...chosen], unknown };
}

// Whether a scan gave a spectrum that can serve a sample.
export function sound(prediction) {
  return Object.values(prediction?.values ?? {}).some((v) => v.value !== null);
}

// Predicted errors as rows {name, unit, rmsep, low, high, valid}.
export function predicted(last) {
  return Object.entries(last.predicted).map(([name, p]) => ({
    name,
    unit: p.unit,
    rmsep: p.rmsep,
    low: p.rmsep_low,
    high: p.rmsep_high,
    valid: p.valid,
  }));
}
