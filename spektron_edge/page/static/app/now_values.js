// Predictions as big numbers, and whether they may be used.

import { el, replace, setClass, setText } from "./dom.js";
import { age, clockTime, title, withInterval } from "./format.js";
import { staleness } from "./staleness.js";
import { whyNotValid } from "./reasons.js";
import { t } from "./words.js";

// {node, draw(known)}.
export function valuesCard() {
  const symbol = el("span", { class: "symbol", "aria-hidden": "true" });
  const verdict = el("span");
  const state = el("p", { class: "verdict badge neutral" }, symbol, verdict);
  const reasons = el("ul", { class: "reasons" });
  const when = el("p", { class: "when" });
  const grid = el("div", { class: "values" });
  const none = el("p", { class: "empty" }, t("now.no_prediction"));
  const node = el("section", { class: "card now-values" }, el("div", { class: "card-head" }, el("h2", {}, t("now.values")), state), reasons, grid, none, when);
  let tiles = new Map();
  let shownReasons = "";

  function built(properties) {
    tiles = new Map(properties.map((name) => {
      const parts = { value: el("span", { class: "number" }), unit: el("span", { class: "unit" }), interval: el("p", { class: "interval" }) };
      return [name, { ...parts, tile: el("div", { class: "value" }, el("h3", {}, title(name)), el("p", { class: "big" }, parts.value, " ", parts.unit), parts.interval) }];
    }));
    replace(grid, [...tiles.values()].map((parts) => parts.tile));
  }

  function draw(known) {
    const { prediction } = known;
    none.hidden = prediction !== null;
    state.hidden = grid.hidden = when.hidden = prediction === null;
    if (prediction === null) return;
    const names = Object.keys(prediction.values);
    if (names.join() !== [...tiles.keys()].join()) built(names);
    for (const [name, parts] of tiles) {
      const found = prediction.values[name];
      const text = withInterval(found);
      setText(parts.value, text.value);
      setClass(parts.value, text.value.length > 6 ? "number long" : "number");
      setText(parts.unit, found.unit);
      setText(parts.interval, text.low === null ? t("now.no_interval") : t("now.interval", { low: text.low, high: text.high }));
    }
    const old = staleness(known);
    setClass(grid, prediction.valid && old === null ? "values" : "values not-valid");
    setClass(state, `verdict badge ${old !== null ? "doubt" : prediction.valid ? "good" : "bad"}`);
    setText(symbol, old !== null ? "!" : prediction.valid ? "✓" : "✕");
    setText(verdict, old !== null ? t("now.old", { age: age(old) }) : t(prediction.valid ? "now.valid" : "now.not_valid"));
    if (prediction.reasons.join() !== shownReasons) {
      shownReasons = prediction.reasons.join();
      replace(reasons, prediction.reasons.map((name) => el("li", {}, whyNotValid(name))));
    }
    setText(when, t("now.scan_at", { scan: prediction.scan.number, when: clockTime(prediction.time.utc) }));
  }
  return { node, draw };
}
