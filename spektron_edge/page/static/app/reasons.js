// Sentences of codes and values, as the server tells reasons and faults.

import { el } from "./dom.js";
import { moment, number, title } from "./format.js";
import { known, t } from "./words.js";

// Faults whose text says all that there is to say.
const WHOLE = ["busy", "code", "csrf", "idle", "incoming_busy", "memory", "no_file", "no_slots", "not_first", "origin", "sign_in", "signature", "too_many_streams", "wait", "wrong"];

// The sentence of {code, values}.
export function reason({ code, values }) {
  return t(`said.${code}`, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, plain(name, value)])));
}

export const reasons = (list) => list.map(reason).join(" ");

function plain(name, value) {
  if (typeof value === "number") return Number.isInteger(value) ? `${value}` : number(value, 3);
  if (name === "at") return moment(value);
  return name === "property" ? title(value) : value ?? "–";
}

// Why a prediction is not valid: a limit that is exceeded, or a fault.
export function whyNotValid(code) {
  return known("reason", code) ?? known("fault", code) ?? code;
}

// What went wrong as {text, detail, next}: our words for its code, what the instrument says of this
// very case, what to do. message: the instrument's, after which a command's answer names code and step.
export function fault({ code, message }) {
  const text = known("fault", code);
  const said = (message ?? "").split(` [${code}] Next: `)[0];
  if (text === null) return { text: said || t("common.unknown_error"), detail: null, next: null };
  return { text, detail: WHOLE.includes(code) ? null : said || null, next: known("next", code) };
}

// The instrument's own words, as its log has them: English in every language.
export function detail(text) {
  return text ? el("p", { class: "detail", lang: "en" }, text) : null;
}

// Text in which `names` are set apart.
export function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}
