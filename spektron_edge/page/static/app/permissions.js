// What a role may do, so that a button can say why it is off. The server decides; this only explains.

const ORDER = ["viewer", "operator", "engineer"];

const LEAST = {
  health: "viewer",
  "take-dark": "operator",
  "take-reference": "operator",
  "scan-now": "operator",
  "auto-range": "operator",
  "wavelength-check": "operator",
  "transfer-start": "operator",
  "transfer-add": "operator",
  "transfer-discard": "operator",
  "transfer-dry-run": "operator",
  "adapt-service-event": "operator",
  "adapt-stability": "operator",
  export: "operator",
  "qualification-report": "viewer",
};

// Least role for an action; engineer for what is not listed.
export function least(action) {
  return LEAST[action] ?? "engineer";
}

export function may(role, action) {
  return ORDER.indexOf(role) >= ORDER.indexOf(least(action)) && ORDER.includes(role);
}
