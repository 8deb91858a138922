// Questions that have to be answered before anything goes on. Each resolves to null (or false) when
// cancelled, by button, Escape or the way back.

import { el } from "./dom.js";
import { input } from "./fields.js";
import { problem } from "./parts.js";
import { t } from "./words.js";

let count = 0;
const MEANINGS = ["reviewed", "approved", "responsible"];
const PASSWORD_REFUSED = ["wrong", "wait"];

// children: what stands in the form; first: which of its fields the cursor is in; label: of the button that accepts, null where there is nothing to accept. The values of its fields by name, or null.
export function ask({ title, text = null, fields = [], children = [], label = t("common.ok"), danger = false, first = "input, select, textarea" }) {
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
    // A field, else the way out: never what does it.
    (form.querySelector(first) ?? cancel).focus();
  });
}

export async function confirmed({ title, text, label, danger = false }) {
  return (await ask({ title, text, label, danger })) !== null;
}

// An electronic signature, and what is done with it. what: what is signed, in words; send: async, given
// {password, meaning, reason}. What send returns, or null. A wrong password is asked for again, and nothing else.
export async function signed({ title, what }, send) {
  for (let kept = {}, wrong = null; ;) {
    const signature = await sign({ title, what, kept, wrong });
    if (signature === null) return null;
    try {
      return await send(signature);
    } catch (error) {
      if (!PASSWORD_REFUSED.includes(error.code)) throw error;
      [kept, wrong] = [signature, error];
    }
  }
}

function sign({ title, what, kept, wrong }) {
  return ask({
    title,
    text: what,
    first: wrong ? "[name=password]" : undefined,
    children: wrong ? [problem(wrong)] : [],
    label: t("common.sign"),
    fields: [
      { name: "meaning", label: t("common.meaning"), type: "select", options: MEANINGS.map((m) => [m, t(`common.meaning_${m}`)]), value: kept.meaning },
      { name: "reason", label: t("common.reason"), required: true, maxlength: 200, value: kept.reason },
      { name: "password", label: t("common.your_password"), type: "password", required: true, autocomplete: "current-password" },
    ],
  });
}
