// The spectrum now: counts, absorbance, or its difference to the source's mean.

import { KINDS, columns, places } from "./curves.js";
import { el, replace, setText } from "./dom.js";
import { choice } from "./fields.js";
import { plot } from "./plot.js";
import { t } from "./words.js";

const SERIES = {
  absorbance: () => [{ label: t("now.absorbance"), kind: "line" }, { label: t("now.noise_band"), kind: "band" }],
  counts: () => [{ label: t("now.sample"), kind: "line" }, { label: t("now.white"), kind: "line" }, { label: t("now.dark"), kind: "line" }],
  difference: () => [{ label: t("now.difference"), kind: "line" }, { label: t("now.noise_band"), kind: "band" }],
};

// {node, draw(known), destroy()}. changed(): asked to be drawn again.
export function spectrumCard(changed) {
  const place = el("div", { class: "spectrum-plot" });
  const none = el("p", { class: "empty" });
  const marked = el("p", { class: "marked" });
  const of = el("p", { class: "hint" });
  let kind = KINDS[0];
  let shown = null;
  let drawn = null;
  const switcher = choice({
    label: t("now.show_as"),
    options: KINDS.map((name) => [name, t(`now.as_${name}`)]),
    value: kind,
    change(name) {
      kind = name;
      drawn = null;
      shown?.destroy();
      shown = null;
      changed();
    },
  });
  const node = el("section", { class: "card now-spectrum" }, el("h2", {}, t("now.spectrum")), switcher, place, none, marked, of);

  function draw({ spectrum, axis, mean, meanOf }) {
    const key = [spectrum?.record, spectrum?.scan, axis?.id, mean?.length].join();
    if (key === drawn) return;
    drawn = key;
    const data = columns(kind, spectrum, axis?.values, mean);
    place.hidden = data === null;
    none.hidden = data !== null;
    marked.hidden = of.hidden = data === null;
    if (data === null) {
      setText(none, spectrum && kind === "difference" && !mean ? t("now.no_mean") : spectrum && kind !== "counts" ? t("now.no_absorbance") : t("now.no_spectrum"));
      return;
    }
    shown ??= plot(place, { label: t(`now.as_${kind}`), axisLabel: t(`now.unit_${kind}`), xLabel: "nm", series: SERIES[kind]() });
    const bad = places(spectrum.bad_pixels, axis.values);
    const saturated = places(spectrum.saturated, axis.values);
    shown.set(data, [...bad.map((x) => ({ x, kind: "bad" })), ...saturated.map((x) => ({ x, kind: "doubt" }))]);
    replace(marked,
      bad.length ? el("span", { class: "mark bad" }, el("span", { "aria-hidden": "true" }, "✕"), t("now.bad_pixels", { count: bad.length })) : null,
      saturated.length ? el("span", { class: "mark doubt" }, el("span", { "aria-hidden": "true" }, "▲"), t("now.saturated", { count: saturated.length })) : null);
    setText(of, kind === "difference" && meanOf ? t("now.mean_of", meanOf) : "");
  }
  return { node, draw, destroy: () => shown?.destroy() };
}
