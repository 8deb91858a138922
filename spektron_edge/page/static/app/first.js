// Before anything is drawn, so that a page in the dark does not flash in white. No module: those wait.
"use strict";
{
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // Storage may be forbidden: the device's own theme then.
  }
  const device = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.shown = root.dataset.theme ?? device;
}
