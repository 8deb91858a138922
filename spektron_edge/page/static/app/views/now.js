// What the instrument sees and says now.

import { el, setText } from "../dom.js";
import { frames } from "../frames.js";
import { gauge } from "../gauges.js";
import { conditionsCard, connectionsCard, faultsCard, modelCard } from "../now_state.js";
import { spectrumCard } from "../now_spectrum.js";
import { valuesCard } from "../now_values.js";
import { empty } from "../parts.js";
import { t } from "../words.js";

export const title = "now.title";

const NAMES = ["prediction", "spectrum", "state", "model", "axis", "faults", "connection", "reference", "stream"];
const AGES_MS = 2000;
const DISTANCES = [["t2", "t2_limit"], ["q", "q_limit"], ["neighbour", "neighbour_limit"]];

export function show(root, { live }) {
  const ask = () => frames.ask(draw);
  const spectrum = spectrumCard(ask);
  const cards = { values: valuesCard(), spectrum, gauges: applicability(), faults: faultsCard(), connections: connectionsCard(), conditions: conditionsCard(), model: modelCard() };
  const draw = () => Object.values(cards).forEach((one) => one.draw(live.known));
  root.classList.add("now");
  root.append(
    el("div", { class: "now-main" }, cards.values.node, spectrum.node),
    el("div", { class: "now-side" }, cards.faults.node, cards.gauges.node),
    el("div", { class: "now-below" }, cards.conditions.node, cards.connections.node),
    el("div", { class: "now-foot" }, cards.model.node));
  const stop = live.on(NAMES, ask);
  // Ages go on where nothing comes.
  const timer = setInterval(ask, AGES_MS);
  draw();
  return () => {
    stop();
    clearInterval(timer);
    frames.forget(draw);
    spectrum.destroy();
  };
}

function applicability() {
  const gauges = DISTANCES.map(([name]) => gauge(t(`now.distance_${name}`)));
  const none = empty("");
  const body = el("div", { class: "gauges" }, gauges.map((one) => one.node));
  const node = el("section", { class: "card now-gauges" }, el("h2", {}, t("now.applicability")), body, none, el("p", { class: "hint" }, t("now.applicability_hint")));
  function draw({ prediction }) {
    const found = prediction?.applicability ?? null;
    none.hidden = found !== null;
    body.hidden = found === null;
    setText(none, t(prediction ? "now.no_applicability" : "now.no_prediction"));
    if (found) DISTANCES.forEach(([value, limit], i) => gauges[i].set(found[value], found[limit]));
  }
  return { node, draw };
}
