// Adaptation: what speaks for a drift, what is in use beside what is proposed, and the decision.

import { actionButton, command, doneWords } from "../acting.js";
import { against, approvals, curves, judgedRows, overOf, valueRows } from "../adaptation_sides.js";
import { get } from "../api.js";
import { signed } from "../dialogs.js";
import { el, replace, setText } from "../dom.js";
import { field } from "../form.js";
import { frames } from "../frames.js";
import { clockTime, moment, number, title as named, whole } from "../format.js";
import { LIMIT_AT, reading } from "../gauge.js";
import { notice } from "../notice.js";
import { badge, card, empty, facts, problem, table } from "../parts.js";
import { plot } from "../plot.js";
import { reason, reasons } from "../reasons.js";
import { refreshed } from "../refreshed.js";
import { known as wordsFor, t } from "../words.js";

export const title = "adaptation.title";

const EVIDENCE_MS = 20000;

const TOLD = ["drift_detected", "drift_over", "adaptation_judged", "adaptation_tried", "adaptation_doubtful", "adaptation_refused", "adaptation_failed"];

export function show(root, { live, session }) {
  const said = notice();
  const act = (label, action, run, how = {}) => actionButton({ label, action, session, run, ...how });
  const [now, evidence, kept] = [el("div", {}), el("div", {}), el("div", {})];
  const waiting = el("div", { class: "proposals" });
  const proposals = new Map();
  let [known, readAt] = [null, 0];
  const seen = () => ({ seen: known.in_use ?? 0 });

  // Signed; what comes of it is told where it stays, since the proposal may be gone then.
  const decide = (label, what, name, args) => async () => {
    // What is told in the dialog is what is signed, whatever comes meanwhile.
    const given = typeof args === "function" ? args() : args;
    const done = await signed({ title: label, what: what() }, (signature) => command(name, given, { signature }));
    if (!done) return null;
    await part.again();
    said.say(done.stage === "waiting" ? "doubt" : "good", doneWords(name, done, inWords(done.result.in_use ?? null)), { focus: true });
    return null;
  };
  const part = refreshed(() => get("/adaptation"), (data) => {
    known = data;
    readAt = Date.now();
    body.hidden = false;
    replace(now, inUse(data));
    replace(evidence, signs(data.evidence), since(data));
    replace(kept, keptOnes(data.kept));
    const numbers = new Set(data.waiting.map((e) => e.number));
    for (const [n, shown] of proposals) {
      if (numbers.has(n)) continue;
      shown.end();
      proposals.delete(n);
    }
    for (const entry of data.waiting) {
      if (!proposals.has(entry.number)) {
        const shown = proposal(entry, { act, decide, live, inUse: () => known.in_use });
        proposals.set(entry.number, shown);
        waiting.append(shown.node);
      }
      proposals.get(entry.number).set(entry, data);
    }
    none.hidden = numbers.size > 0;
    goBack.hidden = data.in_use === null;
    atFactory.hidden = !goBack.hidden;
  });

  const none = card(t("adaptation.waiting_none_title"), empty(t("adaptation.waiting_none")));
  const goBack = el("div", { class: "buttons" },
    act(t("adaptation.rollback"), "adapt-rollback", decide(t("adaptation.rollback"), () => t("adaptation.rollback_signed", { now: inWords(known.in_use) }), "adapt-rollback", seen)),
    act(t("adaptation.reset"), "adapt-reset", decide(t("adaptation.reset"), () => t("adaptation.reset_signed", { now: inWords(known.in_use) }), "adapt-reset", seen), { danger: true }));
  const atFactory = el("p", { class: "hint" }, t("adaptation.at_factory"));
  const body = el("div", { class: "guide", hidden: true },
    el("div", { class: "pair" }, card(t("adaptation.now"), now), card(t("adaptation.evidence"), evidence)),
    none, waiting,
    card(t("adaptation.back"), el("p", {}, t("adaptation.back_text")), goBack, atFactory),
    el("div", { class: "pair" }, service(act, part), stability(act, part)),
    card(t("adaptation.kept"), kept));
  root.append(el("p", { class: "lead" }, t("adaptation.lead")), said.node, part.node, body);
  part.again();

  const draw = () => proposals.forEach((shown) => shown.measured(live.known.prediction));
  const stops = [
    live.on(["prediction"], () => frames.ask(draw)),
    live.on(["model"], () => known && part.again()),
    // How far a drift is comes with each state, ten times more often than anybody reads it.
    live.on(["state"], () => known && Date.now() - readAt > EVIDENCE_MS && part.again()),
    live.on(["event"], ({ events }) => TOLD.includes(events.last.code) && part.again()),
  ];
  return () => {
    stops.forEach((stop) => stop());
    frames.forget(draw);
    proposals.forEach((shown) => shown.end());
    part.end();
  };
}

function inWords(entry) {
  return entry === null ? t("adaptation.own") : t("adaptation.numbered", { number: entry });
}

function inUse(data) {
  const mode = wordsFor("adaptation", `mode_${data.mode}`) ?? data.mode;
  const needed = data.approvals_needed;
  return [
    el("p", { class: "in-use" }, inWords(data.in_use)),
    data.not_applied && el("p", {}, badge("doubt", t("adaptation.not_applied", { why: reason(data.not_applied) }))),
    facts([[t("adaptation.mode"), mode], [t("adaptation.approvals"), needed === 1 ? t("adaptation.one_person") : t("adaptation.people", { count: needed })]]),
    el("h3", {}, t("adaptation.stability")),
    stable(data.stability),
  ];
}

// Stability samples: whether each predicts to what it did at first.
function stable(samples) {
  const all = Object.entries(samples);
  if (!all.length) return empty(t("adaptation.stability_none"));
  return el("ul", { class: "badges" }, all.map(([sample, { astray }]) => el("li", {}, astray.length
    ? badge("bad", t("adaptation.astray", { sample, properties: astray.join(", ") }))
    : badge("good", t("adaptation.steady", { sample })))));
}

function signs(evidence) {
  if (!evidence.length) return empty(t("adaptation.evidence_none"));
  const { over, of } = overOf(evidence);
  return [
    el("p", {}, badge(over ? "doubt" : "good", over ? t("adaptation.over", { over, of }) : t("adaptation.within", { of }))),
    el("ul", { class: "signs" }, evidence.map(oneSign)),
  ];
}

// What the daemon's statistics of the stream rest on: they begin anew with it.
function since({ followed, mode }) {
  if (followed === null) return el("p", { class: "hint" }, t(mode === "frozen" ? "adaptation.followed_frozen" : "adaptation.followed_none"));
  const { since: begun, at, spectra, samples } = followed;
  return el("p", { class: "hint" }, t("adaptation.followed", { since: moment(begun), at: clockTime(at), spectra: whole(spectra), samples: whole(samples) }));
}

function oneSign({ name, value, limit, over, reasons: why, told_at: at, sample, property }) {
  const { share } = reading(value, limit);
  const told = limit === null ? number(value) : t("adaptation.of_limit", { value: number(value), limit: number(limit) });
  // A service counts by itself, until its limit: no bar would say that.
  const bar = Number.isFinite(limit) && over === value > limit ? meter(share, over) : null;
  const head = t(`adaptation.sign_${name}`, { sample, property: property && named(property) });
  return el("li", {}, el("div", { class: "sign-head" }, el("strong", {}, head), badge(over ? "doubt" : "good", t(over ? "adaptation.sign_over" : "adaptation.sign_within"))), bar,
    el("p", { class: "hint" }, [value === null ? null : told, ...why.map(reason), at && t("adaptation.sign_told", { at: moment(at) })].filter(Boolean).join(" · ")));
}

function meter(share, over) {
  const fill = el("span", { class: over ? "fill over" : "fill" });
  const mark = el("span", { class: "mark" });
  fill.style.width = `${100 * share}%`;
  mark.style.left = `${100 * LIMIT_AT}%`;
  return el("div", { class: "meter", "aria-hidden": "true" }, fill, mark);
}

// One that waits: what it would change, what speaks for and against it, and the two buttons.
function proposal(entry, { act, decide, live, inUse: current }) {
  const n = entry.number;
  const [state, values, judged, why, but, means] = [el("div", {}), el("div", {}), el("div", { class: "judged" }), el("div", {}), el("div", { class: "against" }), el("p", { class: "means" })];
  const curve = el("div", { class: "curve" });
  const buttons = el("div", { class: "buttons" },
    act(t("adaptation.approve"), "adapt-approve", decide(t("adaptation.approve_number", { number: n }), () => t("adaptation.approve_signed", { number: n, now: inWords(current()) }), "adapt-approve", { adaptation: n }), { primary: true }),
    act(t("adaptation.reject"), "adapt-reject", decide(t("adaptation.reject_number", { number: n }), () => t("adaptation.reject_signed", { number: n }), "adapt-reject", { adaptation: n }), { danger: true }));
  const node = card(t("adaptation.proposal", { number: n }), state,
    el("div", { class: "pair" },
      el("div", {}, el("h3", {}, t("adaptation.for")), why),
      el("div", {}, el("h3", {}, t("adaptation.against")), but)),
    el("h3", {}, t("adaptation.side_by_side")), values, judged,
    el("h3", {}, t("adaptation.curve")), curve,
    el("div", { class: "accept" }, el("h3", {}, t("adaptation.means_title")), means, buttons));
  let [drawn, ended, pictured] = [null, false, undefined];
  let shown = entry;

  async function picture(inUseNumber) {
    if (pictured === inUseNumber) return;
    pictured = inUseNumber;
    try {
      const [mine, used] = await Promise.all([get(`/adaptation/${n}`), inUseNumber === null ? null : get(`/adaptation/${inUseNumber}`)]);
      if (ended) return;
      shown = { ...shown, ...mine };
      tell();
      drawn?.destroy();
      drawn = null;
      const columns = curves(mine, used);
      replace(curve, columns ? null : empty(mine.problem ? reason(mine.problem) : t("adaptation.curve_none")));
      if (!columns) return;
      drawn = plot(curve, { label: t("adaptation.curve_of", { number: n }), axisLabel: t("adaptation.axis"), xLabel: "nm", height: 260,
        series: [{ label: t("adaptation.in_use"), kind: "line" }, { label: t("adaptation.proposed"), kind: "line" }] });
      drawn.set(columns);
    } catch (refusal) {
      pictured = undefined;
      if (!ended) replace(curve, problem(refusal));
    }
  }
  const list = (items, none) => (items.length ? el("ul", { class: "words" }, items.map((item) => el("li", {}, item))) : empty(none));

  function tell() {
    replace(why, list([...new Set([...shown.why, ...(shown.evidence ?? [])].map(reason))], t("adaptation.for_none")));
    const doubts = [...new Set(against(shown).map(reason))];
    replace(but, doubts.length ? list(doubts) : el("p", {}, badge("good", t("adaptation.against_none"))));
    const rows = judgedRows(shown.metrics);
    const moved = shown.metrics?.source_moved;
    replace(judged, rows.length ? table([t("adaptation.figure"), t("adaptation.in_use"), t("adaptation.proposed"), t("adaptation.verdict")],
      rows.map((r) => [t(`adaptation.judged_${r.name}`), number(r.before), number(r.after), badge(r.better ? "good" : "doubt", t(r.better ? "adaptation.better" : "adaptation.worse"))])) : null,
    moved !== undefined && el("p", { class: "hint" }, t("adaptation.moved", { value: number(moved, 2) })));
  }

  // Ten a second: the table stays, only its words change.
  let cells = null;
  function measured(prediction) {
    const rows = valueRows(n, prediction);
    const key = rows.map((r) => r.name).join();
    if (cells?.key !== key) cells = { key, ...valueTable(rows, values) };
    if (!rows.length) return;
    setText(cells.time, t("adaptation.values_of", { time: clockTime(prediction.time.utc) }));
    rows.forEach((r, i) => {
      const texts = [`${number(r.now, 4)} ${r.unit}`, `${number(r.then, 4)} ${r.unit}`, r.change === null ? "–" : `${r.change > 0 ? "+" : ""}${number(r.change, 2)}`];
      texts.forEach((text, k) => setText(cells.rows[i][k], text));
    });
  }

  return {
    node,
    measured,
    set(given, data) {
      shown = { ...shown, ...given };
      const { by, given: count, needed, missing } = approvals(given, data.approvals_needed);
      replace(state, facts([[t("adaptation.made"), moment(given.made)], [t("adaptation.approved"), t("adaptation.approved_of", { count, needed, by: by.length ? `(${by.join(", ")})` : "" })]]));
      replace(means, data.hindered ? t("adaptation.means_hindered", { number: n, why: reason(data.hindered) }) : missing > 1 ? t("adaptation.means_not_last", { now: inWords(data.in_use), number: n, missing }) : t("adaptation.means", { now: inWords(data.in_use), number: n }));
      tell();
      measured(live.known.prediction);
      picture(data.in_use);
    },
    end() {
      ended = true;
      drawn?.destroy();
      node.remove();
    },
  };
}

function valueTable(rows, root) {
  const time = el("p", { class: "hint" });
  const filled = rows.map(() => [el("span"), el("span"), el("span")]);
  const heads = ["property", "in_use", "proposed", "change"].map((word) => t(`adaptation.${word}`));
  replace(root, rows.length ? [time, table(heads, rows.map((r, i) => [named(r.name), ...filled[i]]))] : el("p", { class: "hint" }, t("adaptation.values_none")));
  return { time, rows: filled };
}

function service(act, part) {
  const what = field(t("adaptation.service_what"), { maxlength: 200, hint: t("adaptation.service_hint") });
  const button = act(t("adaptation.service"), "adapt-service-event", async () => {
    if (!what.input.value.trim()) throw new Error(t("adaptation.service_missing"));
    const done = await command("adapt-service-event", { what: what.input.value.trim() });
    what.input.value = "";
    await part.again();
    return doneWords("adapt-service-event", done);
  });
  return card(t("adaptation.service_title"), el("p", {}, t("adaptation.service_text")), what.node, button);
}

function stability(act, part) {
  const name = field(t("adaptation.stability_name"), { maxlength: 64, hint: t("adaptation.stability_hint") });
  const button = act(t("adaptation.stability_measure"), "adapt-stability", async () => {
    if (!name.input.value.trim()) throw new Error(t("adaptation.stability_missing"));
    const sample = name.input.value.trim();
    const done = await command("adapt-stability", { sample });
    await part.again();
    if (done.result?.astray?.length) throw new Error(t("adaptation.astray", { sample, properties: done.result.astray.map(named).join(", ") }));
    return doneWords("adapt-stability", { ...done, result: { sample } });
  });
  return card(t("adaptation.stability_title"), el("p", {}, t("adaptation.stability_text")), name.node, button);
}

function keptOnes(kept) {
  if (!kept.length) return empty(t("adaptation.kept_none"));
  const heads = ["number", "made", "status", "approved", "about"].map((word) => t(`adaptation.${word}`));
  return table(heads, kept.map((k) => [`${k.number}`, el("span", { class: "moment" }, moment(k.made)),
    k.in_use ? badge("good", t("adaptation.in_use")) : el("span", {}, t(`adaptation.status_${k.status}`), k.ended_by && el("span", { class: "hint" }, ` (${reason(k.ended_by)})`)),
    k.approved_by.join(", ") || "–", el("div", { class: "long" }, reasons(k.why))]));
}
