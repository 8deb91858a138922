// Line icons, 24 by 24. They stand beside words and say nothing of their own.

import { svg } from "./dom.js";

const PATHS = {
  now: "M3 13h4l3-8 4 14 3-6h4",
  history: "M4 4v16h16 M7 15l4-5 3 3 5-7",
  instrument: "M4 8h11l5-3v14l-5-3H4z M8 12h3",
  transfer: "M4 8h13l-3-3 M20 16H7l3 3",
  adaptation: "M4 7h9 M17 7h3 M4 17h3 M11 17h9 M15 5v4 M9 15v4",
  bundles: "M4 8l8-4 8 4-8 4z M4 12l8 4 8-4 M4 16l8 4 8-4",
  records: "M5 4h14v16H5z M9 9h6 M9 13h6 M9 17h3",
  qualification: "M8 4H5v17h14V4h-3 M8 3h8v4H8z M9 14l2 2 4-5",
  audit: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z M9 12l2 2 4-4",
  users: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z M3 20c0-4 3-6 6-6s6 2 6 6 M16 5a3 3 0 0 1 0 6 M18 14c2 1 3 3 3 6",
  support: "M12 3v11 M8 10l4 4 4-4 M4 17v3h16v-3",
  more: "M5 12h.01 M12 12h.01 M19 12h.01",
  theme: "M12 3a9 9 0 1 0 0 18z M12 3a9 9 0 0 1 0 18",
  account: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M4 21c0-5 4-7 8-7s8 2 8 7",
  closer: "M12 5v14 M5 12h14",
  farther: "M5 12h14",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  whole: "M4 9V4h5 M20 9V4h-5 M4 15v5h5 M20 15v5h-5",
};

export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}
