// Values over time, from the instrument's outbox, with what comes in meanwhile.

import { get, query } from "../api.js";
import { el, replace, setText } from "../dom.js";
import { choice } from "../fields.js";
import { number, title as titled } from "../format.js";
import { frames } from "../frames.js";
import { RANGES, asked, columns } from "../history_data.js";
import { empty, problem } from "../parts.js";
import { plot } from "../plot.js";
import { Ring } from "../ring.js";
import { t } from "../words.js";

export const title = "history.title";

const POINTS = 600;
const AGAIN_MS = 60000;
const SETTLED_MS = 350;

export function show(root, { live }) {
  const newer = new Ring(POINTS);
  const state = { property: null, range: "hour", window: null, answer: null, chart: null, asked: 0 };
  const controls = el("div", { class: "history-controls" });
  const place = el("div");
  const status = el("div", { role: "status" });
  const note = el("p", { class: "hint" });
  root.append(el("section", { class: "card" }, controls), el("section", { class: "card" }, place, status, note));
  let settle = null;

  function chartOf(property, unit) {
    state.chart?.destroy();
    state.chart = plot(place, {
      label: titled(property),
      axisLabel: unit,
      time: true,
      height: 400,
      series: [
        { label: titled(property), kind: "line" },
        { label: t("history.interval"), kind: "band" },
        { label: t("history.extremes"), kind: "band", colour: "--band-wide" },
        { label: t("history.not_valid"), kind: "points", colour: "--bad" },
      ],
      zoomed(range) {
        state.window = range;
        clearTimeout(settle);
        settle = setTimeout(fetched, SETTLED_MS);
      },
    });
  }

  async function fetched() {
    const { property, range, window } = state;
    if (property === null) return;
    state.asked += 1;
    const mine = state.asked;
    try {
      const answer = await get(`/history${query({ property, points: POINTS, ...asked(range, window, Date.now()) })}`);
      if (mine !== state.asked) return;
      newer.clear();
      if (!state.chart || state.answer?.property !== property) chartOf(property, answer.unit);
      state.answer = answer;
      replace(status, answer.utc.length ? null : empty(t("history.nothing")));
      setText(note, `${t(window ? "history.window" : "history.live")} ${calibrated(answer)}`);
      draw();
    } catch (error) {
      if (mine === state.asked) replace(status, problem(error));
    }
  }

  function draw() {
    if (!state.answer) return;
    state.chart.set(columns(state.answer, state.window ? [] : newer.all(), state.property), levels(state.answer.limits));
  }

  function offer(properties) {
    state.property = properties[0];
    replace(controls,
      choice({ label: t("history.property"), options: properties.map((name) => [name, titled(name)]), value: state.property, change: (name) => again({ property: name }) }),
      choice({ label: t("history.range"), options: Object.keys(RANGES).map((name) => [name, t(`history.range_${name}`)]), value: state.range, change: (name) => again({ range: name }) }));
    fetched();
  }

  function again(change) {
    Object.assign(state, change, { window: null });
    state.chart?.show(null);
    fetched();
  }

  // What can be shown: as the model says, else as the last prediction has it.
  function known({ model, prediction }) {
    if (state.property !== null) return;
    const names = Object.keys(model?.properties ?? prediction?.values ?? {});
    if (names.length) offer(names);
    else replace(status, empty(t("history.no_properties")));
  }

  const stop = [
    live.on(["model", "prediction"], () => known(live.known)),
    live.on(["prediction"], () => {
      newer.push(live.known.prediction);
      if (!state.window) frames.ask(draw);
    }),
  ];
  const timer = setInterval(() => !state.window && !document.hidden && fetched(), AGAIN_MS);
  known(live.known);
  return () => {
    stop.forEach((f) => f());
    clearInterval(timer);
    clearTimeout(settle);
    frames.forget(draw);
    state.chart?.destroy();
  };
}

// Least and most that the bundle was calibrated for, as levels of the plot and in words.
function levels(limits) {
  return [limits?.calibrated_min, limits?.calibrated_max].filter(Number.isFinite).map((y) => ({ y }));
}

function calibrated({ limits, unit }) {
  if (!Number.isFinite(limits?.calibrated_min)) return "";
  return t("history.calibrated", { least: number(limits.calibrated_min, 3), most: number(limits.calibrated_max, 3), unit });
}
