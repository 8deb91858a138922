// A labelled field and the element that holds its value.

import { input as labelled } from "./fields.js";

// {node, input}; the rest as of `fields.input`.
export function field(label, rest = {}) {
  const node = labelled({ label, autocomplete: "off", ...rest });
  return { node, input: node.querySelector("input, select") };
}
