// Light or dark: as the device has it, or as chosen here. first.js applies a choice before the first drawing.

const root = () => document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

export const THEMES = ["device", "light", "dark"];

export function theme() {
  return root().dataset.theme ?? "device";
}

export function setTheme(name) {
  if (name === "device") delete root().dataset.theme;
  else root().dataset.theme = name;
  try {
    if (name === "device") localStorage.removeItem("theme");
    else localStorage.setItem("theme", name);
  } catch {
    // Kept for as long as the page is open.
  }
  show();
}

function show() {
  root().dataset.shown = root().dataset.theme ?? (dark.matches ? "dark" : "light");
  for (const f of listeners) f();
}

// Call `f` when colours change; returns how to end that.
export function onTheme(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}
dark.addEventListener("change", show);

// The value of a variable of base.css now.
export function colour(name) {
  return getComputedStyle(root()).getPropertyValue(name).trim();
}
