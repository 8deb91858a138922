// Files that the server makes.

import { actionButton } from "./acting.js";
import { address } from "./api.js";
import { el } from "./dom.js";
import { may } from "./permissions.js";

// A link that saves a file, or, for who may not, a button that says why. path: () -> below api/v1.
export function download({ label, action, path, session, primary = false }) {
  if (!may(session.role, action)) return actionButton({ label, action, session, run: async () => null });
  const link = el("a", { class: primary ? "button primary" : "button", href: address(path()), download: true }, label);
  // What is chosen now, and not when the link was made.
  link.addEventListener("click", () => link.setAttribute("href", address(path())));
  return el("div", { class: "action" }, link);
}
