// The audit log, newest first, and whether its chain holds.

import { actionButton } from "../acting.js";
import { get, query } from "../api.js";
import { el, replace } from "../dom.js";
import { moment, title as named, whole } from "../format.js";
import { badge, card, empty, facts, problem, table } from "../parts.js";
import { reasons } from "../reasons.js";
import { refreshed } from "../refreshed.js";
import { t } from "../words.js";

export const title = "audit.title";

const ROWS = 100;

export function show(root, { session }) {
  const [list, verdict, trouble] = [el("div", {}), el("div", { role: "status" }), el("div", {})];
  let [lines, next] = [[], null];
  const more = el("button", { type: "button", class: "button", hidden: true, onclick: async () => {
    more.disabled = true;
    try {
      take(await get(`/audit${query({ before: next, limit: ROWS })}`));
    } catch (refusal) {
      replace(trouble, problem(refusal));
    }
    more.disabled = false;
  } }, t("audit.more"));
  function take(found) {
    lines.push(...found.lines);
    next = found.next ?? null;
    more.hidden = next === null;
    replace(trouble);
    replace(list, lines.length ? table([t("audit.when"), t("audit.who"), t("audit.what"), t("audit.details")], lines.map(row)) : empty(t("audit.none")));
  }
  const part = refreshed(() => get(`/audit${query({ limit: ROWS })}`), (found) => {
    lines = [];
    take(found);
  });
  const verify = actionButton({ label: t("audit.verify"), action: null, session, primary: true, run: async () => {
    replace(verdict, told(await get("/audit/verify")));
    return null;
  } });
  const again = actionButton({ label: t("audit.refresh"), action: null, session, run: async () => {
    await part.again();
    return null;
  } });
  root.append(el("p", { class: "lead" }, t("audit.lead")), card(t("audit.chain"), el("p", {}, t("audit.chain_text")), verify, verdict), card(t("audit.lines"), again, part.node, list, trouble, more));
  part.again();
  return () => part.end();
}

function told({ holds, lines, head, reasons: why, published_head: published }) {
  return [
    el("p", {}, badge(holds ? "good" : "bad", t(holds ? "audit.holds" : "audit.broken"))),
    why.length ? el("p", {}, reasons(why)) : null,
    facts([[t("audit.count"), whole(lines)], [t("audit.head"), el("code", {}, head ?? "–")], [t("audit.published"), el("code", {}, published ?? t("common.none"))]]),
  ];
}

function row(line) {
  const { utc, at, who, what, details, ...rest } = line;
  const when = utc ?? at ?? line.time?.utc;
  const shown = Object.entries(details ?? rest).filter(([, value]) => value !== null && value !== "");
  return [el("span", { class: "moment" }, moment(when)), who ?? "–", named(what ?? "–"), el("ul", { class: "plain" }, shown.map(([name, value]) => el("li", {}, el("span", { class: "name" }, `${named(name)}: `), text(value))))];
}

const text = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
