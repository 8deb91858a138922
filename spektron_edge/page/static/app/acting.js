// Buttons that do something to the instrument, and the commands behind them.

import { Refusal, post } from "./api.js";
import { el, replace, setAttribute, setText } from "./dom.js";
import { exposure } from "./format.js";
import { badge, problem } from "./parts.js";
import { least, may } from "./permissions.js";
import { whyNotValid } from "./reasons.js";
import { t } from "./words.js";

// What a command found that was carried out, and is no good news.
const NOT_WELL = { health: "faults", "wavelength-check": "wavelength_astray" };

let live = null;

// The stream that late answers come by.
export function answersFrom(stream) {
  live = stream;
}

// Send a command; signature: what dialogs.sign() gave. The last answer, or a Refusal.
export async function command(name, args = {}, { signature } = {}) {
  let answer = await post(`/commands/${name}`, { arguments: args, ...signature });
  if (answer.stage === "accepted") {
    answer = await live.answerTo(answer.id);
    if (answer === null) throw new Refusal(200, { error: "no_answer", message: null });
  }
  if (!answer.ok) throw new Refusal(200, { error: answer.result?.fault ?? NOT_WELL[name] ?? "refused", message: answer.message });
  return answer;
}

// What came of a command, from its answer. now: what predicts, in words, where that is what it changed.
export function doneWords(name, { stage, result }, now) {
  if (stage === "waiting") return t("done.waiting");
  if (now !== undefined) return t("done.in_use", { now });
  if (name === "scan-now" && !result.valid) return t("done.scan_not_valid", { scan: result.scan, why: (result.reasons ?? []).map(whyNotValid).join(" ") });
  return t(`done.${name.replaceAll("-", "_")}`, { ...result, time: exposure(result.integration_us) });
}

// A button with what came of it beside it. run: async, returns words (or nothing), or throws.
// The node's `off(reason or null)` switches it off with the reason told; `button` is the button.
export function actionButton({ label, action, run, primary = false, danger = false, session }) {
  const kind = primary ? "button primary" : danger ? "button danger" : "button";
  const button = el("button", { type: "button", class: kind }, label);
  const reason = el("p", { class: "reason", id: fresh() });
  const status = el("div", { class: "outcome", role: "status" });
  const node = el("div", { class: "action" }, button, reason, status);
  const forbidden = action && !may(session.role, action) ? t("common.needs_role", { role: t(`common.role_${least(action)}`) }) : null;
  let why = forbidden;
  let busy = false;

  // Not `disabled`: the keyboard still reaches it and a screen reader tells the reason.
  function show() {
    setAttribute(button, "aria-disabled", why !== null || busy ? "true" : null);
    setAttribute(button, "aria-describedby", why !== null ? reason.id : null);
    setAttribute(button, "aria-busy", busy ? "true" : null);
    setText(reason, why ?? "");
    reason.hidden = why === null;
  }

  button.addEventListener("click", async () => {
    if (why !== null || busy) return;
    busy = true;
    show();
    replace(status, el("p", { class: "busy" }, t("common.busy")));
    try {
      const words = await run();
      replace(status, words ? badge("good", words) : null);
    } catch (error) {
      replace(status, problem(error));
    } finally {
      busy = false;
      show();
    }
  });
  show();
  return Object.assign(node, {
    button,
    off(text) {
      why = forbidden ?? text ?? null;
      show();
    },
  });
}

let count = 0;
function fresh() {
  count += 1;
  return `why-${count}`;
}
