// A distance beside its limit: numbers, words and a bar with the limit marked.

import { el, setAttribute, setClass, setText } from "./dom.js";
import { number } from "./format.js";
import { LIMIT_AT, reading } from "./gauge.js";
import { t } from "./words.js";

const SYMBOLS = { within: "✓", near: "!", above: "✕", unknown: "–" };
const KINDS = { within: "good", near: "doubt", above: "bad", unknown: "neutral" };

// {node, set(value, limit)}.
export function gauge(label) {
  const value = el("span", { class: "gauge-value" });
  const symbol = el("span", { class: "symbol", "aria-hidden": "true" });
  const words = el("span");
  const state = el("span", { class: "badge neutral" }, symbol, words);
  const fill = el("div", { class: "gauge-fill" });
  const limitMark = el("div", { class: "gauge-limit" });
  limitMark.style.left = `${LIMIT_AT * 100}%`;
  const bar = el("div", { class: "gauge-bar", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": 0 }, fill, limitMark);
  const node = el("div", { class: "gauge" }, el("div", { class: "gauge-head" }, el("span", { class: "gauge-label" }, label), state), bar, value);
  return {
    node,
    set(measured, limit) {
      const found = reading(measured, limit);
      const told = t("now.gauge_value", { value: number(measured, 3), limit: number(limit, 3) });
      setText(value, told);
      setText(symbol, SYMBOLS[found.state]);
      setText(words, t(`now.gauge_${found.state}`));
      setClass(state, `badge ${KINDS[found.state]}`);
      setClass(fill, `gauge-fill ${KINDS[found.state]}`);
      fill.style.transform = `scaleX(${found.share})`;
      setAttribute(bar, "aria-valuenow", found.share.toFixed(2));
      setAttribute(bar, "aria-valuetext", told);
    },
  };
}
