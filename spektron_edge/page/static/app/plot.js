// A plot that is drawn by uPlot in the page's colours, with zoom by buttons, mouse and fingers, and a
// sentence that says what it shows.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { extent } from "./curves.js";
import { el, setText } from "./dom.js";
import { moment, number } from "./format.js";
import { icon } from "./icons.js";
import { touch } from "./plot_touch.js";
import { colour, onTheme } from "./theme.js";
import { t } from "./words.js";

const COLOURS = ["--accent", "--second", "--muted"];
const DASHES = [undefined, [8, 4], [2, 4]];
const WORDS_EVERY_MS = 1000;

// label: what is shown; axisLabel: of the values; xLabel: of the x axis, where it is no time (in seconds).
// series: {label, kind: "line" | "points" | "band", colour: variable}; a band takes two columns, high then low,
// filled with its colour, a see-through one.
// zoomed(range): told when x is zoomed by hand ([least, most], null for the whole); redrawn data may follow.
// set(data, marks): uPlot's columns; marks: [{x, kind: "bad" | "doubt"}] at the lower edge,
// or {y}: a level across.
export function plot(root, { label, axisLabel, xLabel = "", series, time = false, height = 320, zoomed = () => {} }) {
  const box = el("div", { class: "plot-box" });
  const words = el("p", { class: "plot-words", "aria-live": "off" });
  const pointer = el("p", { class: "plot-pointer", "aria-hidden": "true" });
  const tool = (name, act) => el("button", { type: "button", class: "round", "aria-label": t(`common.plot_${name}`), title: t(`common.plot_${name}`), onclick: act }, icon(name));
  const tools = el("div", { class: "plot-tools", role: "group", "aria-label": t("common.plot_tools", { label }) },
    tool("closer", () => scaled(0.5)), tool("farther", () => scaled(2)), tool("left", () => moved(-0.3)), tool("right", () => moved(0.3)), tool("whole", whole));
  const key = el("ul", { class: "plot-key" }, series.map((s, i) => el("li", { class: `key-${s.kind} key-${i}` }, s.label)));
  const figure = el("figure", { class: "plot", "aria-label": label }, el("div", { class: "plot-head" }, key, tools), box, pointer, el("figcaption", {}, words));
  root.append(figure);

  let data = null;
  let marks = [];
  let range = null;
  let chart = null;
  let toldAt = 0;

  function build() {
    chart?.destroy();
    chart = new uPlot(options(), data, box);
    if (range) chart.setScale("x", { min: range[0], max: range[1] });
  }

  function options() {
    const [ink, line] = [colour("--ink"), colour("--line")];
    const axis = (more) => ({ stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: FONT, labelFont: FONT, ...more });
    const { columns, bands } = columnsOf(series);
    return {
      width: Math.max(1, box.clientWidth),
      height,
      legend: { show: false },
      scales: { x: { time } },
      // Room for half a time of day under the right edge.
      padding: [null, time ? 36 : null, null, null],
      series: [{}, ...columns],
      bands,
      axes: [
        axis(time ? { values: times } : { label: xLabel, labelSize: 20, size: 32, values: (_, splits) => splits.map((v) => (v === null ? "" : tick(v, splits))) }),
        axis({ label: axisLabel, labelSize: 22, size: 64, values: (_, splits) => splits.map((v) => (v === null ? "" : tick(v, splits))) }),
      ],
      cursor: { drag: { x: true, y: false }, points: { size: 9 } },
      hooks: {
        setSelect: [(u) => u.select.width > 0 && take([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")])],
        setCursor: [pointed],
        draw: [drawMarks],
      },
    };
  }

  function bounds() {
    const xs = data[0];
    return xs.length ? [xs[0], xs[xs.length - 1]] : null;
  }

  function take(wanted) {
    range = wanted;
    zoomed(range);
    if (chart && range) chart.setScale("x", { min: range[0], max: range[1] });
  }

  function scaled(factor) {
    const now = range ?? (data && bounds());
    if (!now) return;
    const [middle, half] = [(now[0] + now[1]) / 2, ((now[1] - now[0]) / 2) * factor];
    if (half > 0) take([middle - half, middle + half]);
  }

  function moved(share) {
    const now = range ?? (data && bounds());
    if (now) take(now.map((x) => x + (now[1] - now[0]) * share));
  }

  function whole() {
    if (!data) return;
    range = null;
    zoomed(null);
    chart?.setData(data);
  }

  function pointed(u) {
    const i = u.cursor.idx;
    if (i === null || i === undefined || u.cursor.left < 0) {
      setText(pointer, "");
      return;
    }
    const at = time ? moment(data[0][i] * 1000) : `${number(data[0][i], 5)} ${xLabel}`;
    const values = series.map((s, n) => [s, data[firstColumn(series, n)][i]]).filter(([s, v]) => s.kind !== "band" && v !== null && v !== undefined);
    setText(pointer, `${at}: ${values.map(([s, v]) => `${s.label} ${number(v, 4)}`).join(", ")}`);
  }

  // Lines at the lower edge, with a cross for what is bad and a triangle for what is doubtful.
  function drawMarks(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.lineWidth = 2 * devicePixelRatio;
    const size = 5 * devicePixelRatio;
    for (const { x, y, kind } of marks) {
      if (y !== undefined) {
        level(u, y);
        continue;
      }
      const left = u.valToPos(x, "x", true);
      if (left < bbox.left || left > bbox.left + bbox.width) continue;
      const low = bbox.top + bbox.height - 2 * size;
      ctx.strokeStyle = ctx.fillStyle = colour(kind === "bad" ? "--bad" : "--doubt");
      ctx.beginPath();
      if (kind === "bad") {
        ctx.moveTo(left - size, low - size);
        ctx.lineTo(left + size, low + size);
        ctx.moveTo(left + size, low - size);
        ctx.lineTo(left - size, low + size);
        ctx.stroke();
      } else {
        ctx.moveTo(left, low - size);
        ctx.lineTo(left + size, low + size);
        ctx.lineTo(left - size, low + size);
        ctx.fill();
      }
    }
    ctx.restore();
  }

  function level(u, y) {
    const { ctx, bbox } = u;
    const top = u.valToPos(y, "y", true);
    if (top < bbox.top || top > bbox.top + bbox.height) return;
    ctx.strokeStyle = colour("--doubt");
    ctx.setLineDash([10 * devicePixelRatio, 6 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, top);
    ctx.lineTo(bbox.left + bbox.width, top);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  function tell() {
    if (Date.now() - toldAt < WORDS_EVERY_MS) return;
    toldAt = Date.now();
    const parts = series.flatMap((s, n) => {
      const found = s.kind === "band" ? null : extent(data[firstColumn(series, n)]);
      return found ? t("common.plot_words", { label: s.label, least: number(found.least), most: number(found.most), last: number(found.last) }) : [];
    });
    setText(words, parts.join(" ") || t("common.plot_nothing"));
  }

  function set(columns, newMarks = []) {
    data = columns;
    marks = newMarks;
    if (!chart) build();
    else if (range) {
      chart.batch(() => {
        chart.setData(data, false);
        chart.setScale("x", { min: range[0], max: range[1] });
      });
    } else chart.setData(data);
    tell();
  }

  const sized = new ResizeObserver(() => {
    if (chart && box.clientWidth && Math.abs(box.clientWidth - chart.width) > 0) chart.setSize({ width: box.clientWidth, height });
  });
  sized.observe(box);
  const endTheme = onTheme(() => chart && build());
  const endTouch = touch(box, () => chart, { range: () => range ?? (data && bounds()), take });
  return {
    set,
    // Another part of x, null for the whole; not told to `zoomed`.
    show(wanted) {
      range = wanted;
    },
    destroy() {
      sized.disconnect();
      endTheme();
      endTouch();
      chart?.destroy();
      figure.remove();
    },
  };
}

const FONT = "13px system-ui, sans-serif";

function firstColumn(series, n) {
  return 1 + series.slice(0, n).reduce((sum, s) => sum + (s.kind === "band" ? 2 : 1), 0);
}

function columnsOf(series) {
  const columns = [];
  const bands = [];
  series.forEach((s, n) => {
    const stroke = () => colour(s.colour ?? COLOURS[n % COLOURS.length]);
    if (s.kind === "band") {
      bands.push({ series: [columns.length + 1, columns.length + 2], fill: () => colour(s.colour ?? "--band") });
      for (const name of ["high", "low"]) columns.push({ label: `${s.label} ${name}`, stroke: "transparent", width: 0, points: { show: false } });
    } else if (s.kind === "points") {
      columns.push({ label: s.label, stroke, paths: () => null, points: { show: true, size: 8, stroke, fill: stroke } });
    } else columns.push({ label: s.label, stroke, width: 2, dash: DASHES[n % DASHES.length], points: { show: false } });
  });
  return { columns, bands };
}

// As many decimals as the distance of the ticks needs.
function tick(value, splits) {
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : Math.abs(value);
  if (step !== 0 && (step < 1e-4 || step >= 1e6)) return value === 0 ? "0" : value.toExponential(1);
  return value.toFixed(Math.max(0, Math.min(6, -Math.floor(Math.log10(step || 1) + 1e-9))));
}

const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const second = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function times(_, splits, _axis, _space, step) {
  const form = step >= 86400 ? day : step >= 60 ? minute : second;
  let shown = "";
  return splits.map((s) => {
    if (s === null) return "";
    const date = day.format(s * 1000);
    const first = date !== shown && form !== day && shown !== "";
    shown = date;
    return first ? `${form.format(s * 1000)}\n${date}` : form.format(s * 1000);
  });
}
