// What is done to the instrument: references, a scan, its exposure, and what it is.

import { actionButton, command, doneWords } from "../acting.js";
import { secondsSince } from "../ages.js";
import { get } from "../api.js";
import { signed } from "../dialogs.js";
import { el, replace } from "../dom.js";
import { field } from "../form.js";
import { age, exposure, number, whole } from "../format.js";
import { badge, card, facts } from "../parts.js";
import { refreshed } from "../refreshed.js";
import { known, t } from "../words.js";

export const title = "instrument.title";

const AGES_MS = 5000;

export function show(root, { live, session }) {
  const act = (label, action, run, how = {}) => actionButton({ label: t(label), action, session, run, ...how });
  const simply = (name) => async () => doneWords(name, await command(name));
  const parts = [
    reference("dark", act("instrument.take_dark", "take-dark", simply("take-dark"), { primary: true })),
    reference("white", act("instrument.take_white", "take-reference", simply("take-reference"), { primary: true })),
  ];
  const chosen = products(act);
  const [ids, model] = [el("div", {}), el("div", {})];
  const draw = () => {
    parts.forEach((p) => p.set(live.known));
    replace(ids, device(live.known));
    replace(model, inUse(live.known));
  };
  root.append(
    el("p", { class: "lead" }, t("instrument.lead")),
    el("div", { class: "pair" }, parts.map((p) => p.node)),
    el("div", { class: "pair" },
      card(t("instrument.scan"), el("p", {}, t("instrument.scan_text")), act("instrument.scan_now", "scan-now", simply("scan-now"))),
      exposed(act, simply)),
    el("div", { class: "pair" }, wavelength(act), chosen.node),
    el("div", { class: "pair" }, card(t("instrument.is"), ids), card(t("instrument.in_use"), model)),
    el("div", { class: "pair" },
      card(t("instrument.health"), el("p", {}, t("instrument.health_text")), act("instrument.ask_health", "health", simply("health"))),
      reload(act)));
  draw();
  const stops = [live.on(["state", "model", "reference"], draw), live.on(["model"], chosen.again)];
  const timer = setInterval(() => parts.forEach((p) => p.set(live.known)), AGES_MS);
  return () => {
    clearInterval(timer);
    chosen.end();
    stops.forEach((stop) => stop());
  };
}

// What has to be done by hand before it, and how old the last one is.
function reference(kind, button) {
  const [how, told, due] = [el("ol", { class: "how" }), el("div", {}), el("p", {})];
  const node = card(t(`instrument.${kind}`), due, told, how, button);
  let drawn = null;
  return {
    node,
    set(known) {
      const able = (known.state?.device?.capabilities ?? []).includes(kind === "dark" ? "shutter" : "reference");
      const name = kind === "dark" ? "take-dark" : "take-reference";
      const asked = (known.state?.waiting_for ?? []).includes(name);
      const scan = known.prediction?.scan;
      const seconds = scan ? scan[`${kind}_age_s`] : known.reference?.[`${kind}_age_s`];
      const since = secondsSince(scan ? known.predictionAt : known.referenceAt);
      const old = seconds === null || seconds === undefined ? null : age(seconds + since);
      const key = [able, asked, old].join();
      if (key === drawn) return;
      drawn = key;
      replace(due, asked ? badge("doubt", t("instrument.due")) : null);
      replace(told, facts([[t("instrument.age"), old ?? t("instrument.no_age")]]));
      const steps = able ? ["by_itself"] : kind === "dark" ? ["cover", "press", "uncover"] : ["show_white", "press", "remove_white"];
      replace(how, steps.map((step) => el("li", {}, t(`instrument.${step}`))));
    },
  };
}

function exposed(act, simply) {
  const time = field(t("instrument.integration"), { inputmode: "numeric", hint: t("instrument.integration_hint") });
  const set = act("instrument.set_integration", "set-integration", async () => {
    const us = Number(time.input.value.trim());
    if (!Number.isInteger(us) || us < 1) throw new Error(t("instrument.integration_wrong"));
    return doneWords("set-integration", await command("set-integration", { integration_us: us }));
  });
  return card(t("instrument.exposure"), el("p", {}, t("instrument.auto_text")), act("instrument.auto_range", "auto-range", simply("auto-range")), time.node, set);
}

function wavelength(act) {
  const standard = field(t("instrument.standard"), { maxlength: 64, hint: t("instrument.standard_hint") });
  const limit = field(t("instrument.limit"), { inputmode: "decimal", value: "1.0" });
  const button = act("instrument.check", "wavelength-check", async () => {
    const nm = Number(limit.input.value.trim().replace(",", "."));
    if (!standard.input.value.trim()) throw new Error(t("instrument.standard_missing"));
    if (!(nm > 0)) throw new Error(t("instrument.limit_wrong"));
    return doneWords("wavelength-check", await command("wavelength-check", { standard: standard.input.value.trim(), limit_nm: nm }));
  });
  return card(t("instrument.wavelength"), el("p", {}, t("instrument.wavelength_text")), standard.node, limit.node, button);
}

// The bundle's own, to choose from. `end` when the view goes; `again` where the bundle may be another.
function products(act) {
  const name = field(t("instrument.product"), { type: "select" });
  const button = act("instrument.choose_product", "choose-product", async () => {
    if (!name.input.value) throw new Error(t("instrument.product_missing"));
    const done = await command("choose-product", { product: name.input.value });
    await part.again();
    return doneWords("choose-product", done);
  });
  let drawn = null;
  const part = refreshed(() => get("/products"), (found) => {
    const key = JSON.stringify(found);
    if (key === drawn) return;
    drawn = key;
    replace(name.input, found.products.map((p) => el("option", { value: p, selected: p === found.chosen }, p)));
    button.off(found.products.length ? null : t("instrument.products_none"));
  });
  part.again();
  return { node: card(t("instrument.products"), el("p", {}, t("instrument.products_text")), part.node, name.node, button), again: part.again, end: part.end };
}

function reload(act) {
  const button = act("instrument.reload", "reload", async () => {
    const done = await signed({ title: t("instrument.reload"), what: t("instrument.reload_signed") },
      (signature) => command("reload", {}, { signature }));
    return done && doneWords("reload", done);
  }, { danger: true });
  return card(t("instrument.configuration"), el("p", {}, t("instrument.reload_text")), button);
}

const able = (name) => known("instrument", `able_${name}`) ?? name;

function device({ state }) {
  const found = state?.device;
  return facts([
    [t("instrument.serial"), found?.serial],
    [t("instrument.firmware"), found?.firmware],
    [t("instrument.pixels"), found ? whole(found.pixels) : null],
    [t("instrument.bad_pixels"), state ? (state.bad_pixels ?? []).join(", ") || t("common.none") : null],
    [t("instrument.capabilities"), found?.capabilities?.map(able).join(", ") || null],
    [t("instrument.integration_now"), exposure(state?.integration_us)],
    [t("instrument.drift"), state?.device_clock ? t("instrument.ppm", { value: number(state.device_clock.drift_ppm) }) : null],
    [t("instrument.uptime"), state ? age(state.uptime_s) : null],
  ]);
}

function inUse({ model }) {
  const found = model?.model;
  return facts([
    [t("instrument.product_now"), found?.product],
    [t("instrument.bundle"), found?.bundle],
    [t("instrument.signed_by"), found ? found.signed_by?.name ?? t("instrument.nobody") : null],
    [t("instrument.transfer"), found ? (found.transfer ? t("instrument.numbered", { number: found.transfer.version, id: found.transfer.id }) : t("common.none")) : null],
    [t("instrument.adaptation"), found ? (found.adaptation ? t("instrument.numbered", { number: found.adaptation.version, id: found.adaptation.id }) : t("common.none")) : null],
    [t("instrument.engine"), found ? `${found.provider}, ${found.precision}` : null],
    [t("instrument.properties"), model ? Object.entries(model.properties ?? {}).map(([name, unit]) => `${name} (${unit})`).join(", ") : null],
  ]);
}
