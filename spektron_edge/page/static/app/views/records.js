// Predictions that were made: a list, and files of them and of spectra.

import { get, query } from "../api.js";
import { download } from "../downloads.js";
import { el, replace } from "../dom.js";
import { choice } from "../fields.js";
import { field } from "../form.js";
import { moment, title as named, withInterval } from "../format.js";
import { badge, card, empty, problem, table } from "../parts.js";
import { whyNotValid } from "../reasons.js";
import { refreshed } from "../refreshed.js";
import { spanOf, SPANS } from "../spans.js";
import { t } from "../words.js";

export const title = "records.title";

const ROWS = 50;

export function show(root, { session }) {
  let chosen = "day";
  const [from, to] = ["from", "to"].map((end) => field(t(`records.${end}`), { type: "datetime-local", step: 1 }));
  const own = el("div", { class: "fields", hidden: true }, from.node, to.node);
  const span = () => spanOf(chosen, { from: from.input.value, to: to.input.value });
  const list = el("div", {});
  const spectra = el("div", {});
  let records = [];
  let next = null;

  const trouble = el("div", {});
  const more = el("button", { type: "button", class: "button", hidden: true, onclick: async () => {
    more.disabled = true;
    try {
      const found = await get(`/records${query({ ...span(), limit: ROWS, after: next })}`);
      records.push(...found.records);
      next = found.next ?? null;
      draw();
    } catch (refusal) {
      replace(trouble, problem(refusal));
    }
    more.disabled = false;
  } }, t("records.more"));
  function draw() {
    replace(trouble);
    more.hidden = next === null;
    replace(list, records.length ? table([t("records.time"), t("records.valid"), t("records.values"), t("records.scan"), t("records.model")], records.map(row)) : empty(t("records.none")));
  }
  const part = refreshed(() => get(`/records${query({ ...span(), limit: ROWS })}`), (found) => {
    records = [...found.records];
    next = found.next ?? null;
    draw();
  });
  const seen = session.role === "viewer" ? null : refreshed(() => get("/spectra"), (found) => replace(spectra, spectraOf(found.spectra ?? [], session)));
  const change = (value) => {
    chosen = value;
    own.hidden = value !== "own";
    part.again();
  };
  for (const f of [from, to]) f.input.addEventListener("change", () => part.again());
  root.append(
    el("p", { class: "lead" }, t("records.lead")),
    card(t("records.span"), choice({ label: t("records.span_of"), value: chosen, change, options: [...Object.keys(SPANS), "all", "own"].map((name) => [name, t(`records.span_${name}`)]) }), own,
      download({ label: t("records.csv"), action: "export", path: () => `/records.csv${query(span())}`, session, primary: true }), el("p", { class: "hint" }, t("records.csv_hint"))),
    card(t("records.predictions"), part.node, list, trouble, more),
    card(t("records.spectra"), el("p", {}, t("records.spectra_text")),
      download({ label: t("records.jdx_all"), action: "export", path: () => "/spectra.jdx", session }), seen?.node, spectra));
  part.again();
  seen?.again();
  return () => {
    part.end();
    seen?.end();
  };
}

function row(r) {
  const values = Object.entries(r.values).map(([name, v]) => {
    const { value, low, high } = withInterval(v);
    return el("li", {}, `${named(name)} ${value}${low === null ? "" : ` (${low} – ${high})`} ${v.unit}`);
  });
  const why = r.reasons.map(whyNotValid).join(" ");
  const model = [r.model.product, r.model.transfer && t("records.transfer", { number: r.model.transfer.version }), r.model.adaptation && t("records.adaptation", { number: r.model.adaptation.version })];
  return [el("span", { class: "moment" }, moment(r.time.utc)), el("span", {}, badge(r.valid ? "good" : "bad", t(r.valid ? "common.yes" : "common.no")), why && el("span", { class: "why" }, why)), el("ul", { class: "plain" }, values), `${r.scan.number}`, model.filter(Boolean).join(", ")];
}

function spectraOf(spectra, session) {
  if (!spectra.length) return empty(t("records.spectra_none"));
  return table([t("records.time"), t("records.scan"), t("records.file")], spectra.map((s) => [moment(s.utc), `${s.scan}`,
    download({ label: t("records.jdx"), action: "export", path: () => `/spectra/${encodeURIComponent(s.record)}.jdx`, session })]));
}
