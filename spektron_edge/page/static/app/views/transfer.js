// Calibration transfer, one step at a time: which cup next, what came of it, what it would bring.

import { actionButton, command, doneWords } from "../acting.js";
import { address, get } from "../api.js";
import { confirmed, signed } from "../dialogs.js";
import { el, replace, setText } from "../dom.js";
import { field } from "../form.js";
import { moment, number, title as named } from "../format.js";
import { notice } from "../notice.js";
import { badge, card, empty, facts, table } from "../parts.js";
import { fault, reason, reasons } from "../reasons.js";
import { refreshed } from "../refreshed.js";
import { steadyScans } from "../steady_scans.js";
import { LEAST, parseSamples, predicted, progress, step, STEPS } from "../transfer_steps.js";
import { t } from "../words.js";

export const title = "transfer.title";

const SCANS = 3;
const POLL_MS = 2000;
const ENDED = ["transfer_finished", "transfer_failed", "transfer_invalid"];

export function show(root, { live, session }) {
  const said = notice();
  const again = () => part.again();
  const act = (label, action, run, how = {}) => actionButton({ label: t(label), action, session, run, ...how });
  const cards = {
    start: starting(act, again), measure: measuring(live, act, again), compute: computing(act, again),
    fitting: fitting(), use: result(act, again), discard: discarding(act, again),
  };
  const [kept, bar] = [keeping(act, again, { said, session }), steps()];
  const guide = el("div", { class: "guide" });
  const shown = el("div", { class: "guide", hidden: true }, bar.node, guide);
  let [timer, at] = [null, null];

  // What is to be done now comes first.
  function order(next) {
    if (next === at) return;
    const follows = at !== null && (document.activeElement === document.body || guide.contains(document.activeElement));
    guide.append(...new Set([cards[next].node, cards.fitting.node, ...Object.values(cards).map((c) => c.node)]));
    at = next;
    if (follows) focusFirst(guide);
  }

  const part = refreshed(() => get("/transfer"), (data) => {
    shown.hidden = false;
    for (const p of [bar, ...Object.values(cards), kept]) p.set(data);
    order(step(data));
    clearTimeout(timer);
    if (data.fitting) timer = setTimeout(again, POLL_MS);
  });
  root.append(el("p", { class: "lead" }, t("transfer.lead")), said.node, part.node, shown, kept.node);
  part.again();

  const stop = live.on(["event"], ({ events }) => {
    const event = events.last;
    if (!ENDED.includes(event.code)) return;
    if (event.code === "transfer_finished") said.say("good", t("transfer.finished"));
    else {
      const { text, detail, next } = fault(event);
      said.say("bad", [text, next].filter(Boolean).join(" – "), { more: detail });
    }
    again();
  });
  return () => {
    clearTimeout(timer);
    stop();
    part.end();
  };
}

function focusFirst(guide) {
  const head = [...guide.children].find((node) => !node.hidden)?.querySelector("h2");
  head?.setAttribute("tabindex", "-1");
  head?.focus();
}

function steps() {
  const items = STEPS.map((name, i) => el("li", {}, el("span", { class: "step-number", "aria-hidden": "true" }, `${i + 1}`), el("span", {}, t(`transfer.step_${name}`))));
  return {
    node: el("ol", { class: "steps", "aria-label": t("transfer.steps") }, items),
    set(data) {
      const at = STEPS.indexOf(step(data));
      items.forEach((item, i) => {
        item.className = i < at ? "done" : i === at ? "now" : "";
        if (i === at) item.setAttribute("aria-current", "step");
        else item.removeAttribute("aria-current");
        setText(item.firstChild, i < at ? "✓" : `${i + 1}`);
      });
    },
  };
}

// Step 1: which cups are in hand.
function starting(act, again) {
  const cups = field(t("transfer.cups"), { hint: t("transfer.cups_hint") });
  const told = el("p", { class: "hint", role: "status" });
  const chips = el("div", { class: "chips", role: "group", "aria-label": t("transfer.pick") });
  let known = [];
  const read = () => parseSamples(cups.input.value, known);
  const mark = () => {
    const { chosen, unknown } = read();
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chosen.includes(chip.textContent)));
    setText(told, unknown.length ? t("transfer.unknown_cups", { samples: unknown.join(", ") }) : chosen.length ? t("transfer.chosen", { count: chosen.length }) : "");
    told.classList.toggle("wrong", unknown.length > 0);
  };
  const toggle = (sample) => {
    const { chosen, unknown } = read();
    const left = chosen.includes(sample) ? chosen.filter((c) => c !== sample) : [...chosen, sample];
    cups.input.value = [...left, ...unknown].join(", ");
    mark();
  };
  cups.input.addEventListener("input", mark);
  const start = act("transfer.start", "transfer-start", async () => {
    const { chosen, unknown } = read();
    if (unknown.length) throw new Error(t("transfer.unknown_cups", { samples: unknown.join(", ") }));
    if (chosen.length && chosen.length < LEAST) throw new Error(t("transfer.too_few", { least: LEAST }));
    await command("transfer-start", chosen.length ? { samples: chosen } : {});
    cups.input.value = "";
    mark();
    await again();
    return null;
  }, { primary: true });
  const serial = el("p", {});
  const pick = el("details", {}, el("summary", {}, t("transfer.pick")), chips);
  const node = card(t("transfer.start_title"), serial, el("p", {}, t("transfer.start_text")), cups.node, told, pick, start);
  return {
    node,
    set({ open, serial: of, samples_known: samples }) {
      node.hidden = Boolean(open);
      setText(serial, of ? t("transfer.for", { serial: of }) : t("transfer.no_serial"));
      if (samples.join() === known.join()) return;
      known = samples;
      pick.hidden = !known.length;
      replace(chips, known.map((s) => el("button", { type: "button", class: "chip", "aria-pressed": "false", onclick: () => toggle(s) }, s)));
      mark();
    },
  };
}

// Step 2: one cup after the other.
function measuring(live, act, again) {
  const [cup, what, count, scans] = [el("p", { class: "cup" }), el("p", { class: "cup-text" }), el("p", { class: "hint" }), el("p", { class: "hint", role: "status" })];
  const bar = el("progress", { "aria-label": t("transfer.measured_bar") });
  const list = el("ul", { class: "samples" });
  const said = notice();
  let [chosen, next, open] = [null, null, null];

  const add = async (given) => {
    try {
      setText(scans, t("transfer.waiting_scans", { done: 0, of: SCANS }));
      if (live.known.connection.door !== false) await steadyScans(live, SCANS, (k) => setText(scans, t("transfer.waiting_scans", { done: k, of: SCANS })));
      setText(scans, t("transfer.judging"));
      const done = await command("transfer-add", { scans: SCANS, ...given });
      chosen = null;
      await again();
      const why = open?.samples.find((s) => s.sample === given.sample)?.reasons ?? [];
      const good = done.result?.verdict === "good";
      said.say(good ? "good" : "doubt", [t(good ? "transfer.added" : "transfer.added_doubtful", { sample: given.sample }), reasons(why)].filter(Boolean).join(" "));
      return null;
    } finally {
      setText(scans, "");
    }
  };
  const measure = act("transfer.add", "transfer-add", () => add({ sample: chosen ?? next }), { primary: true });
  const choose = (sample) => {
    chosen = sample;
    draw();
    node.scrollIntoView({ block: "start" });
    cup.focus();
  };
  cup.tabIndex = -1;
  const other = field(t("transfer.other_cup"), { type: "select", options: [["", "–"]] });
  other.input.addEventListener("change", () => other.input.value && choose(other.input.value));
  const strange = stranger(live, act, add);
  const now = el("div", { class: "place" }, what, cup, el("ol", { class: "how" }, ["transfer.how_place", "transfer.how_close", "transfer.how_press"].map((key) => el("li", {}, t(key)))), measure, scans);
  const [allDone, advice] = [el("p", {}, badge("good", t("transfer.all_measured"))), el("p", {})];
  const node = card(t("transfer.measure_title"), el("div", { class: "progress-part" }, bar, count),
    el("div", { class: "measuring" },
      el("div", {}, now, said.node, allDone, advice),
      el("div", { class: "samples-part" }, el("h3", {}, t("transfer.samples")), list)),
    el("details", {}, el("summary", {}, t("transfer.others")), other.node, strange));

  function draw() {
    const { measured, total, left, missing } = progress(open);
    bar.max = Math.max(1, total);
    bar.value = measured;
    setText(count, `${t("transfer.measured", { done: measured, of: total })} ${missing ? t("transfer.missing", { count: missing }) : t("transfer.enough")}`);
    const sample = chosen ?? next;
    now.hidden = sample === null;
    allDone.hidden = sample !== null || left.length > 0 || missing > 0;
    const words = sample === null ? reasons(open.steps.filter(({ code }) => code !== "finish")) : "";
    replace(advice, words && badge("doubt", words));
    setText(what, t(chosen ? "transfer.place_again" : "transfer.place"));
    setText(cup, sample ?? "");
    replace(list, open.samples.length ? open.samples.map((s) => row(s, choose)) : el("li", {}, empty(t("transfer.none_yet"))));
    replace(other.input, el("option", { value: "" }, "–"), [...left, ...open.samples.map((s) => s.sample)].map((s) => el("option", { value: s }, s)));
  }
  return {
    node,
    set(data) {
      node.hidden = !data.open || data.fitting;
      if (!data.open) {
        chosen = null;
        said.clear();
        return;
      }
      [open, next] = [data.open, data.open.next ?? null];
      draw();
    },
  };
}

function row({ sample, quality, reasons: why, scans, labels }, choose) {
  const told = [t("transfer.scans", { count: scans }), ...Object.entries(labels).map(([name, value]) => `${named(name)} ${number(value, 4)}`)].join(" · ");
  const doubt = quality !== "good";
  return el("li", { class: `sample ${quality}` },
    el("div", { class: "sample-head" }, el("strong", {}, sample), badge(quality, t(`transfer.quality_${quality}`)), el("span", { class: "hint" }, told)),
    why.length ? el("p", {}, reasons(why)) : null,
    el("button", { type: "button", class: doubt ? "button" : "round", title: doubt ? null : t("transfer.again"), "aria-label": t("transfer.again_of", { sample }), onclick: () => choose(sample) }, doubt ? t("transfer.again") : "↻"));
}

// A cup that the bundle does not know, with the laboratory's values where there are any.
function stranger(live, act, add) {
  const name = field(t("transfer.new_name"), { maxlength: 64 });
  const units = live.known.model?.properties ?? {};
  const values = Object.entries(units).map(([property, unit]) => [property, field(`${named(property)} (${unit})`, { inputmode: "decimal" })]);
  const button = act("transfer.add_new", "transfer-add", async () => {
    const sample = name.input.value.trim();
    if (!sample) throw new Error(t("transfer.name_missing"));
    const given = values.filter(([, f]) => f.input.value.trim());
    const labels = given.map(([property, f]) => `${property}=${f.input.value.trim().replace(",", ".")}`);
    await add({ sample, new: true, ...(labels.length ? { labels } : {}) });
    for (const f of [name, ...values.map(([, f]) => f)]) f.input.value = "";
    return t("transfer.added", { sample });
  });
  return el("fieldset", {}, el("legend", {}, t("transfer.new")), el("p", { class: "hint" }, t("transfer.new_text")), name.node, el("div", { class: "fields" }, values.map(([, f]) => f.node)), button);
}

// Step 3: what error is to be expected; nothing changes yet.
function computing(act, again) {
  const dry = async () => {
    await command("transfer-finish", { dry_run: true });
    await again();
    return null;
  };
  const [first, once_more] = [act("transfer.compute", "transfer-dry-run", dry, { primary: true }), act("transfer.compute_again", "transfer-dry-run", dry)];
  const left = el("p", { class: "hint" });
  const node = card(t("transfer.compute_title"), el("p", {}, t("transfer.compute_text")), left, first, once_more);
  return {
    node,
    set({ open, fitting: busy, last }) {
      const found = open ? progress(open) : null;
      node.hidden = !open || busy || found.missing > 0;
      if (node.hidden) return;
      const had = last && !last.accepted;
      first.hidden = Boolean(had);
      once_more.hidden = !had;
      setText(left, [found.left.length && t("transfer.still_left", { samples: found.left.join(", ") }), found.doubtful.length && t("transfer.doubtful", { samples: found.doubtful.join(", ") })].filter(Boolean).join(" "));
    },
  };
}

function fitting() {
  const node = card(t("transfer.fitting_title"), el("p", { role: "status" }, t("transfer.fitting_text")), el("progress", { "aria-label": t("transfer.fitting_title") }));
  return { node, set: (data) => { node.hidden = !data.fitting; } };
}

// Step 4: what it would bring, and what accepting means.
function result(act, again) {
  const body = el("div", {});
  let work = null;
  const use = act("transfer.use", "transfer-finish", async () => {
    // The result that is in sight now, whatever is measured meanwhile.
    const seen = work;
    const done = await signed({ title: t("transfer.use"), what: t("transfer.use_signed") },
      (signature) => command("transfer-finish", { seen }, { signature }));
    if (!done) return null;
    await again();
    return null;
  }, { primary: true });
  const means = el("p", { class: "means" });
  const accept = el("div", { class: "accept" }, el("h3", {}, t("transfer.means_title")), means, use);
  const node = card(t("transfer.result_title"), body, accept);
  return {
    node,
    set({ open, fitting: busy, last, kept, serial }) {
      node.hidden = !last || busy || (Boolean(open) && last.accepted);
      if (node.hidden) return;
      work = last.work;
      const rows = predicted(last);
      const bad = rows.filter((r) => !r.valid);
      const good = rows.length - bad.length;
      accept.hidden = !open || good === 0;
      const now = kept.find((k) => k.in_use && k.serial === serial);
      setText(means, t("transfer.means", { now: inWords(now?.number) }));
      replace(body,
        el("p", {}, badge(good === 0 ? "bad" : bad.length ? "doubt" : "good", t(good === 0 ? "transfer.verdict_none" : bad.length ? "transfer.verdict_some" : "transfer.verdict_all"))),
        rows.length && table([t("transfer.property"), t("transfer.rmsep"), t("transfer.range"), t("transfer.usable")],
          rows.map((r) => [named(r.name), `${number(r.rmsep)} ${r.unit}`, t("transfer.from_to", { low: number(r.low), high: number(r.high) }), badge(r.valid ? "good" : "bad", t(r.valid ? "common.yes" : "common.no"))])),
        el("p", { class: "hint" }, t("transfer.rmsep_hint")), picture(), el("p", {}, el("a", { class: "button", href: address("/transfer/report"), target: "_blank", rel: "noopener" }, t("transfer.report"))));
    },
  };
}

// Its address differs each time: what was fitted may be another one.
function picture() {
  const image = el("img", { src: address(`/transfer/picture.svg?at=${Date.now()}`), alt: t("transfer.picture_alt"), class: "picture" });
  const node = el("figure", {}, image, el("figcaption", { class: "hint" }, t("transfer.picture")));
  image.addEventListener("error", () => { node.hidden = true; });
  return node;
}

// What a kept transfer is for, and what error to expect of it.
function forWhat(kept) {
  const errors = predicted(kept).filter((r) => r.valid).map((r) => t("transfer.error_of", { property: named(r.name), rmsep: number(r.rmsep), low: number(r.low), high: number(r.high), unit: r.unit }));
  return [t("transfer.for_product", { product: kept.product, serial: kept.serial }), ...(errors.length ? errors : [t("transfer.for_none")])].join("; ");
}

const inWords = (used) => (used ? t("transfer.transfer_number", { number: used }) : t("transfer.own"));

function discarding(act, again) {
  const button = act("transfer.discard", "transfer-discard", async () => {
    if (!(await confirmed({ title: t("transfer.discard"), text: t("transfer.discard_text"), label: t("transfer.discard"), danger: true }))) return null;
    const done = await command("transfer-discard", {});
    await again();
    return doneWords("transfer-discard", done);
  }, { danger: true });
  const about = el("div", {});
  const node = card(t("transfer.session"), about, button);
  return {
    node,
    set({ open, serial, fitting: busy }) {
      node.hidden = !open || busy;
      if (open) replace(about, facts([[t("transfer.began"), moment(open.started)], [t("transfer.instrument"), serial ?? "–"], [t("transfer.id"), open.id]]));
    },
  };
}

// What is stored, and the way back.
function keeping(act, again, { said, session }) {
  const list = el("div", {});
  let inUse = 0;
  const back = act("transfer.rollback", "transfer-rollback", async () => {
    const seen = inUse;
    const done = await signed({ title: t("transfer.rollback"), what: t("transfer.rollback_signed") },
      (signature) => command("transfer-rollback", { seen }, { signature }));
    if (!done) return null;
    await again();
    return doneWords("transfer-rollback", done, inWords(done.result.in_use));
  }, { danger: true });
  // One that is kept, once more.
  const useAgain = ({ number: n }, used) => actionButton({ label: t("transfer.use_again", { number: n }), action: "transfer-activate", session, run: async () => {
    const now = inWords(used?.number);
    const done = await signed({ title: t("transfer.use_again", { number: n }), what: t("transfer.use_again_signed", { number: n, now }) },
      (signature) => command("transfer-activate", { transfer: n }, { signature }));
    if (!done) return null;
    await again();
    said.say("good", doneWords("transfer-activate", done, inWords(done.result.in_use)), { focus: true });
    return null;
  } });
  const text = el("p", { class: "hint" }, t("transfer.rollback_text"));
  const node = card(t("transfer.kept"), list, text, back);
  node.hidden = true;
  return {
    node,
    set({ kept, serial }) {
      node.hidden = false;
      const used = kept.find((k) => k.in_use && k.serial === serial) ?? null;
      inUse = used?.number ?? 0;
      back.hidden = text.hidden = used === null;
      const useOf = (k) => (k.in_use ? badge("good", t("transfer.in_use")) : k.hindered ? el("span", { class: "hint" }, reason(k.hindered)) : useAgain(k, used));
      replace(list, used ? null : el("p", {}, badge("neutral", t("transfer.own_in_use"))), kept.length ? table([t("transfer.number"), t("transfer.use_column"), t("transfer.made"), t("transfer.by"), t("transfer.made_from"), t("transfer.about")],
        kept.map((k) => [el("span", {}, `${k.number} `, el("span", { class: "hint" }, k.id)), useOf(k), el("span", { class: "moment" }, moment(k.made)), k.by, k.samples.join(", "), el("div", { class: "long" }, forWhat(k))])) : empty(t("transfer.none_kept")));
    },
  };
}
