// A distance beside its limit.

// {share: of the bar, 0..1; state: "within" | "near" | "above" | "unknown"}. The limit lies at two
// thirds of the bar, so that what is above has room to be seen.
export function reading(value, limit) {
  if (!Number.isFinite(value) || !Number.isFinite(limit) || limit <= 0) return { share: 0, state: "unknown" };
  const ratio = value / limit;
  const state = ratio > 1 ? "above" : ratio > 0.8 ? "near" : "within";
  return { share: Math.min(1, Math.max(0, ratio) * LIMIT_AT), state };
}

export const LIMIT_AT = 2 / 3;
