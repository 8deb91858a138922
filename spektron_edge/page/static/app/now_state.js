// How instrument and daemon are: faults with what to do, connections, references, what predicts.

import { secondsSince } from "./ages.js";
import { el, replace } from "./dom.js";
import { age, clockTime, exposure, number, whole } from "./format.js";
import { badge, card, facts } from "./parts.js";
import { detail, fault as told, prose } from "./reasons.js";
import { t } from "./words.js";

const LEVELS = { error: "bad", warning: "doubt", info: "neutral" };
const PORT = ["port_missing", "port_busy", "port_denied", "port_lost", "device_silent", "line_garbage"];
const BROKER = ["broker_unreachable", "broker_refused", "broker_untrusted", "certificate_refused"];

const waitedFor = (command) => t(`command.${command.replaceAll("-", "_")}`);
const celsius = (value) => (Number.isFinite(value) ? `${number(value, 3)} °C` : "–");

// A node that is filled anew only where what it shows has changed.
function part(node, shape) {
  let shown = null;
  return (known) => {
    const [key, children] = shape(known);
    const text = JSON.stringify(key);
    if (text === shown) return;
    shown = text;
    replace(node, children());
  };
}

export function faultsCard() {
  const body = el("div", { class: "faults" });
  const draw = part(body, ({ faults, state, connection, stream }) => [[faults, state?.waiting_for, connection.door, stream.open], () => [
    faults.length || state?.waiting_for?.length ? null : connection.door && stream.open ? badge("good", t("now.no_faults")) : badge("neutral", t("now.unknown")),
    faults.map((fault) => el("div", { class: "fault" },
      badge(LEVELS[fault.level] ?? "doubt", told(fault).text),
      detail(told(fault).detail),
      el("p", { class: "since" }, fault.since_utc ? t("now.fault_since", { since: clockTime(fault.since_utc), code: fault.code }) : fault.code),
      told(fault).next ? el("p", {}, el("strong", {}, t("now.next")), " ", prose(told(fault).next)) : null)),
    state?.waiting_for?.length ? el("p", { class: "waiting" }, t("now.waiting_for", { commands: state.waiting_for.map(waitedFor).join(", ") })) : null,
  ]]);
  const node = card(t("now.faults"), body);
  node.classList.add("now-faults");
  return { node, draw };
}

export function connectionsCard() {
  const body = el("div");
  const draw = part(body, ({ state, faults, connection, stream }) => {
    const codes = faults.map((fault) => fault.code);
    const down = (list) => codes.find((name) => list.includes(name));
    const well = (good, yes, no) => badge(good ? "good" : "bad", t(good ? yes : no));
    const door = connection.door === true && stream.open;
    const counters = state?.counters ?? {};
    const queue = counters.unsent ?? null;
    const key = [door, connection.since, down(PORT), down(BROKER), state?.device, queue, state?.p50_ms, state?.p99_ms, state?.time.clock];
    return [key, () => facts([
      [t("now.daemon"), well(door, "now.connected", "now.away")],
      [t("now.serial_line"), door ? well(!down(PORT) && state?.device, "now.connected", "now.away") : badge("neutral", t("now.unknown"))],
      [t("now.broker"), door ? well(!down(BROKER), "now.connected", "now.away") : badge("neutral", t("now.unknown"))],
      [t("now.queue"), queue === null ? "–" : t("now.queued", { count: whole(queue) })],
      [t("now.latency"), state === null ? "–" : t("now.latencies", { p50: number(state.p50_ms, 2), p99: number(state.p99_ms, 2) })],
      [t("now.clock"), state ? badge(state.time.clock === "ok" ? "good" : "doubt", t(`now.clock_${state.time.clock}`)) : "–"],
    ])];
  });
  return { node: card(t("now.connections"), body), draw };
}

export function conditionsCard() {
  const body = el("div");
  const draw = part(body, ({ prediction, predictionAt, reference, referenceAt, state, spectrum }) => {
    const scan = prediction?.scan ?? {};
    // Told with each scan; they go on without one.
    const since = secondsSince(prediction ? predictionAt : referenceAt);
    const [dark, white] = ["dark_age_s", "white_age_s"].map((name) => scan[name] ?? reference?.[name]).map((s) => (Number.isFinite(s) ? s + since : null));
    const integration = state?.integration_us ?? scan.integration_us;
    const values = [age(dark), age(white), celsius(scan.temperature_c), celsius(scan.white_temperature_c), exposure(integration), scan.averages ?? "–", scan.saturated ?? "–", (spectrum?.bad_pixels ?? state?.bad_pixels)?.length ?? "–"];
    return [values, () => facts([
      [t("now.dark_age"), values[0]],
      [t("now.white_age"), values[1]],
      [t("now.temperature"), values[2]],
      [t("now.white_temperature"), values[3]],
      [t("now.integration"), values[4]],
      [t("now.averages"), String(values[5])],
      [t("now.saturated_channels"), String(values[6])],
      [t("now.bad_channels"), String(values[7])],
    ])];
  });
  return { node: card(t("now.conditions"), body, el("p", { class: "hint" }, t("now.at_last_scan"))), draw };
}

export function modelCard() {
  const body = el("div");
  const draw = part(body, ({ model: record, prediction, state }) => {
    const model = record?.model ?? prediction?.model ?? null;
    return [[model, state?.device], () => (model === null ? t("now.no_model") : facts([
      [t("now.product"), model.product],
      [t("now.bundle"), model.bundle],
      [t("now.signed_by"), model.signed_by?.name ?? t("now.not_signed")],
      [t("now.engine"), `${model.provider}, ${model.precision}`],
      [t("now.transfer"), model.transfer ? t("now.transfer_value", { version: model.transfer.version, id: model.transfer.id, samples: model.transfer.samples }) : t("now.no_transfer")],
      [t("now.adaptation"), model.adaptation ? t("now.adaptation_value", { version: model.adaptation.version, id: model.adaptation.id }) : t("now.no_adaptation")],
      [t("now.serial"), state?.device?.serial ?? prediction?.serial],
      [t("now.firmware"), state?.device?.firmware],
    ]))];
  });
  return { node: card(t("now.model"), body), draw };
}
