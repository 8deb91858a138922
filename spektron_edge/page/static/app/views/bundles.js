// The two slots for bundles: what each holds, which is in use, and the way back.

import { actionButton, doneWords } from "../acting.js";
import { get, post } from "../api.js";
import { bundleSending } from "../bundle_sending.js";
import { signed } from "../dialogs.js";
import { el, replace } from "../dom.js";
import { title as named } from "../format.js";
import { notice } from "../notice.js";
import { badge, card, empty, facts } from "../parts.js";
import { prose, reason } from "../reasons.js";
import { refreshed } from "../refreshed.js";
import { known as wordsFor, t } from "../words.js";

export const title = "bundles.title";

const SLOTS = ["a", "b"];

export function show(root, { live, session }) {
  const said = notice();
  const [slots, file, behind] = [el("div", { class: "pair" }), el("span", {}), el("div", {})];
  let inUseNow = "";
  // bundle: which one it is about; what is in sight is what is signed.
  const act = (label, action, path, what, bundle, how = {}) => actionButton({ label, action, session, ...how, run: async () => {
    const seen = bundle();
    const done = await signed({ title: label, what }, (signature) => post(path, { ...signature, seen }));
    if (!done) return null;
    await part.again();
    const { reload } = done;
    if (reload?.ok) said.say("good", reload.stage === "finished" ? doneWords("reload", reload) : t("bundles.taking"), { focus: true });
    else said.say("doubt", t(reload ? "bundles.not_taken" : "bundles.later"), { focus: true, more: reload?.message });
    return null;
  } });
  const back = card(t("bundles.back"), el("p", {}, t("bundles.back_text")), act(t("bundles.rollback"), "bundle-rollback", "/bundles/rollback", t("bundles.rollback_signed"), () => inUseNow, { danger: true }));
  const fixed = card(t("bundles.fixed_title"), el("p", {}, el("code", {}, file)), el("p", {}, t("bundles.fixed")));
  const sending = bundleSending(session, async (told) => {
    await part.again();
    said.say("good", told, { focus: true });
  });
  back.hidden = fixed.hidden = sending.hidden = true;
  const part = refreshed(() => get("/bundles"), (found) => {
    back.hidden = !found.uses_slots || found.fallback === null;
    fixed.hidden = found.uses_slots;
    sending.hidden = !found.uses_slots;
    inUseNow = found.slots.find((s) => s.active)?.bundle ?? "";
    replace(file, found.configured);
    replace(behind, found.left_behind.map((told) => el("p", {}, badge("doubt", prose(reason(told))))));
    replace(slots, SLOTS.map((name) => slot(name, found.slots.find((s) => s.slot === name), found.uses_slots, act)));
  });
  root.append(el("p", { class: "lead" }, t("bundles.lead")), said.node, inUse(live), part.node, behind, fixed, slots, sending, back);
  part.again();
  return () => part.end();
}

function inUse({ known }) {
  const model = known.model?.model;
  return card(t("bundles.now"), facts([[t("bundles.bundle"), model?.bundle], [t("bundles.product"), model?.product], [t("bundles.signed_by"), model ? model.signed_by?.name ?? t("bundles.nobody") : null]]));
}

function slot(name, held, bySlots, act) {
  const { active } = held ?? {};
  const label = t("bundles.slot", { slot: name.toUpperCase() });
  if (!held) return card(label, empty(t("bundles.free")));
  return card(label,
    el("p", {}, badge(active ? "good" : "neutral", t(active ? "bundles.active" : "bundles.inactive"))),
    facts([[t("bundles.bundle"), held.bundle], [t("bundles.version"), `${held.version}`], [t("bundles.signed_by"), held.signed_by ?? t("bundles.nobody")],
      [t("bundles.state"), wordsFor("bundles", `state_${held.state}`) ?? named(held.state)]]),
    held.why && el("p", { class: "hint" }, reason(held.why)),
    !active && bySlots && act(t("bundles.activate", { slot: name.toUpperCase() }), "bundle-activate", `/bundles/${name}/activate`, t("bundles.activate_signed", { bundle: held.bundle }), () => held.bundle));
}
