// Labelled fields of forms.

import { el } from "./dom.js";

let count = 0;

// {name, label, type = "text" | "number" | "password" | "select" | "checkbox" | ..., options: [[value, words]..],
// hint, value, and attributes of the element}.
export function input({ name, label, type = "text", options = [], hint = null, value = null, ...rest }) {
  count += 1;
  const id = `field-${count}`;
  const described = hint ? `${id}-hint` : null;
  const attributes = { id, name, "aria-describedby": described, ...rest };
  const told = hint ? el("p", { class: "hint", id: described }, hint) : null;
  if (type === "checkbox") {
    const box = el("input", { type, ...attributes, checked: value === true });
    return el("div", { class: "field check" }, el("label", { for: id }, box, label), told);
  }
  const field = type === "select"
    ? el("select", attributes, options.map(([given, words]) => el("option", { value: given, selected: given === value }, words)))
    : el("input", { type, ...attributes, value });
  return el("div", { class: "field" }, el("label", { for: id }, label), field, told);
}

// One of several, all in sight: [[value, words]..]; change(value) is called.
export function choice({ label, options, value, change }) {
  count += 1;
  const name = `choice-${count}`;
  return el("fieldset", { class: "choice" }, el("legend", {}, label), options.map(([given, words]) => {
    const box = el("input", { type: "radio", name, value: given, checked: given === value, onchange: () => change(given) });
    return el("label", {}, box, el("span", {}, words));
  }));
}
