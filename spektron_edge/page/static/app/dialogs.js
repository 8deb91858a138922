// Questions that have to be answered before anything goes on. Each resolves to null (or false) when
// cancelled, by button, Escape or the way back.

import { el } from "./dom.js";
import { input } from "./fields.js";
import { t } from "./words.js";

let count = 0;
const MEANINGS = ["reviewed", "approved", "responsible"];

// children: what stands in the form; label: of the button that accepts, null where there is nothing to accept. The values of its fields by name, or null.
export function ask({ title, text = null, fields = [], children = [], label = t("common.ok"), danger = false }) {
  count += 1;
  const id = `dialog-${count}`;
  const head = el("h2", { id }, title);
  const cancel = el("button", { type: "button", class: "button" }, t(label === null ? "common.close" : "common.cancel"));
  const accept = label === null ? null : el("button", { type: "submit", class: danger ? "button danger" : "button primary" }, label);
  const form = el("form", { method: "dialog" }, head, text ? el("p", {}, text) : null, children, fields.map(input), el("div", { class: "buttons" }, cancel, accept));
  const dialog = el("dialog", { "aria-labelledby": id }, form);
  let values = null;
  form.addEventListener("submit", () => {
    values = Object.fromEntries(new FormData(form));
    for (const box of form.querySelectorAll("input[type=checkbox]")) values[box.name] = box.checked;
  });
  cancel.addEventListener("click", () => dialog.close());
  const leave = () => dialog.close();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      window.removeEventListener("hashchange", leave);
      dialog.remove();
      resolve(values);
    });
    window.addEventListener("hashchange", leave);
    document.body.append(dialog);
    dialog.showModal();
    // The first field, else the way out: never what does it.
    (form.querySelector("input, select, textarea") ?? cancel).focus();
  });
}

export async function confirmed({ title, text, label, danger = false }) {
  return (await ask({ title, text, label, danger })) !== null;
}

// An electronic signature: {password, meaning, reason}. what: what is signed, in words.
export function sign({ title, what }) {
  return ask({
    title,
    text: what,
    label: t("common.sign"),
    fields: [
      { name: "meaning", label: t("common.meaning"), type: "select", options: MEANINGS.map((m) => [m, t(`common.meaning_${m}`)]) },
      { name: "reason", label: t("common.reason"), required: true, maxlength: 200 },
      { name: "password", label: t("common.your_password"), type: "password", required: true, autocomplete: "current-password" },
    ],
  });
}
