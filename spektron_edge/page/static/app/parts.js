// Pieces that views are made of.

import { el } from "./dom.js";
import { detail, fault, prose } from "./reasons.js";
import { t } from "./words.js";

// A titled section.
export function card(title, ...children) {
  return el("section", { class: "card" }, title ? el("h2", {}, title) : null, ...children);
}

// [[label, value], ..]: values are text or nodes.
export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value ?? "–"))));
}

// heads: text; rows: lists of text or nodes. Too wide a table scrolls inside itself, by keyboard as well; on a
// narrow screen each row stands by itself, its cells under their heads. The roles are said since other `display`
// takes them away.
export function table(heads, rows, label = null) {
  const cells = (row) => row.map((cell, i) => el("td", { role: "cell" }, el("span", { class: "cell-head", "aria-hidden": "true" }, heads[i]), el("div", { class: "cell" }, cell ?? "–")));
  return el("div", { class: "table", role: "region", tabindex: "0", "aria-label": label ?? t("common.table") },
    el("table", { role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads.map((head) => el("th", { scope: "col", role: "columnheader" }, head)))),
      el("tbody", { role: "rowgroup" }, rows.map((row) => el("tr", { role: "row" }, cells(row))))));
}

const SYMBOLS = { good: "✓", doubt: "!", bad: "✕", neutral: "•" };

// kind: good | doubt | bad | neutral. The symbol says it without colour.
export function badge(kind, text) {
  return el("span", { class: `badge ${kind}` }, el("span", { class: "symbol", "aria-hidden": "true" }, SYMBOLS[kind]), text);
}

export function empty(text) {
  return el("p", { class: "empty" }, text);
}

export function loading() {
  return el("p", { class: "loading", role: "status" }, t("common.loading"));
}

// What went wrong and what to do, from a Refusal or any other error.
export function problem(refusal) {
  const { text, detail: more, next } = told(refusal);
  return el("div", { class: "problem", role: "alert" }, el("p", {}, badge("bad", text)), detail(more), next ? el("p", { class: "next" }, prose(next)) : null);
}

// The words of a refusal: {text, detail or null, next or null}. What has no code was said by the page itself.
function told(refusal) {
  if (!refusal?.code) return { text: refusal?.message || t("common.unknown_error"), detail: null, next: null };
  const found = fault(refusal);
  return { ...found, next: refusal.retryAfter ? t("common.retry_after", { seconds: refusal.retryAfter }) : found.next };
}
