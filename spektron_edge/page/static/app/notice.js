// What is told by a view itself, and stays while the parts that it speaks of come and go.

import { el, replace } from "./dom.js";
import { badge } from "./parts.js";
import { detail } from "./reasons.js";

// {node, say(kind, text, {focus, more}), clear}: kinds as of badges; more: what the instrument says of
// it. `focus` takes the reader there: for
// what removed the button that was pressed.
export function notice() {
  const node = el("div", { class: "notice", role: "status", tabindex: "-1" });
  return {
    node,
    say(kind, text, { focus = false, more = null } = {}) {
      replace(node, badge(kind, text), detail(more));
      if (focus) node.focus();
    },
    clear: () => replace(node),
  };
}
