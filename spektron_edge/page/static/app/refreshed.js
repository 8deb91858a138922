// A part of a view that is read from the server: drawn, and read again when asked.

import { el, replace } from "./dom.js";
import { loading, problem } from "./parts.js";

// {node, again, end}: put `node` above what `draw` fills; it tells that reading goes on, or why not.
export function refreshed(read, draw) {
  const node = el("div", { class: "reading" }, loading());
  let turn = 0;
  async function again() {
    turn += 1;
    const mine = turn;
    try {
      const data = await read();
      if (mine !== turn) return;
      replace(node);
      draw(data);
    } catch (refusal) {
      if (mine === turn) replace(node, problem(refusal));
    }
  }
  return { node, again, end: () => { turn = NaN; } };
}
