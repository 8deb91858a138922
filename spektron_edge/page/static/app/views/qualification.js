// Reports of qualifications: what they are worth now, what is due, and control samples over time.

import { get, query } from "../api.js";
import { download } from "../downloads.js";
import { el, replace } from "../dom.js";
import { age, moment, number, title as named } from "../format.js";
import { badge, card, empty, facts, problem, table } from "../parts.js";
import { plot } from "../plot.js";
import { refreshed } from "../refreshed.js";
import { bandsOf, trendColumns } from "../trend_data.js";
import { t } from "../words.js";

export const title = "qualification.title";

const ROWS = 20;
const VERDICTS = { pass: "good", fail: "bad", incomplete: "doubt" };
const WORTH = { holds: "good", expired: "doubt" };
const STANDINGS = { good: "good", due: "doubt", failed: "bad" };

export function show(root, { session }) {
  const [due, trends, list, trouble] = [el("div", {}), el("div", {}), el("div", {}), el("div", {})];
  const charts = [];
  let [rows, next] = [[], null];
  const more = el("button", { type: "button", class: "button", hidden: true, onclick: async () => {
    more.disabled = true;
    try {
      take(await get(`/qualifications${query({ before: next, limit: ROWS })}`));
    } catch (refusal) {
      replace(trouble, problem(refusal));
    }
    more.disabled = false;
  } }, t("qualification.more"));

  function take(found) {
    rows.push(...found.qualifications);
    next = found.next;
    more.hidden = next === null;
    replace(trouble);
    const heads = ["number", "verdict", "of", "signed", "report"].map((name) => t(`qualification.head_${name}`));
    replace(list,
      rows.length ? table(heads, rows.map((r) => row(r, session)), t("qualification.list")) : empty(t("qualification.none")),
      found.broken_off.length ? el("p", { class: "hint" }, t("qualification.broken_off", { numbers: found.broken_off.join(", ") })) : null);
  }

  function draw(found) {
    rows = [];
    charts.splice(0).forEach((chart) => chart.destroy());
    replace(due, standing(found));
    replace(trends, found.trends.length ? null : empty(t("qualification.trend_none")));
    for (const trend of found.trends) charts.push(chart(trends, trend));
    take(found);
  }

  const part = refreshed(() => get(`/qualifications${query({ limit: ROWS })}`), draw);
  root.append(el("p", { class: "lead" }, t("qualification.lead")),
    card(t("qualification.due"), part.node, due), card(t("qualification.trend"), trends), card(t("qualification.list"), list, trouble, more));
  part.again();
  return () => {
    part.end();
    charts.forEach((chart) => chart.destroy());
  };
}

function standing({ schedule, in_use: now }) {
  const left = schedule.due_utc === null ? null : (Date.parse(schedule.due_utc) - Date.now()) / 1000;
  const when = left === null ? null : t(left < 0 ? "qualification.overdue" : "qualification.due_in", { when: moment(schedule.due_utc), age: age(Math.abs(left)) });
  return [
    el("p", {}, badge(STANDINGS[schedule.standing] ?? "neutral", t(`qualification.standing_${schedule.standing}`))),
    facts([
      [t("qualification.next"), when ?? (schedule.standing === "due" || schedule.standing === "failed" ? t("qualification.at_once") : null)],
      [t("qualification.every"), schedule.every_s === null ? t("common.none") : age(schedule.every_s)],
      [t("qualification.in_use"), now === null ? null : `${now.serial}: ${calibration(now.calibration)}`],
    ]),
  ];
}

function chart(root, { name, property, unit, levels, points }) {
  const label = t("qualification.trend_of", { name, property: named(property) });
  const bands = bandsOf(levels);
  const limits = bands.map(([band, high, low]) => t(`qualification.limits_${band}`, { low: number(low, 4), high: number(high, 4) }));
  const box = el("div", {});
  root.append(el("h3", {}, label), box, el("p", { class: "hint" }, limits.join(" ") || t("qualification.limits_none")));
  const made = plot(box, {
    label,
    axisLabel: unit,
    time: true,
    series: [
      { label: t("qualification.control"), kind: "points" },
      ...bands.map(([band], i) => ({ label: t(`qualification.band_${band}`), kind: "band", colour: i ? "--band-wide" : "--band" })),
      { label: t("qualification.control_failed"), kind: "points", colour: "--bad" },
    ],
  });
  made.set(trendColumns(points, levels), "centre" in levels ? [{ y: levels.centre }] : []);
  return made;
}

function calibration(c) {
  const parts = [c.bundle, c.product, c.transfer && t("qualification.transfer", { id: c.transfer }), c.adaptation && t("qualification.adaptation", { id: c.adaptation })];
  return parts.filter(Boolean).join(", ");
}

function row(r, session) {
  const signed = r.signatures.map((s) => el("span", { class: "why" }, `${s.by}, ${t(`qualification.signed_${s.meaning}`)}, ${moment(s.utc)}`));
  const file = (name) => download({ label: t(`qualification.file_${name}`), action: "qualification-report", path: () => `/qualifications/${r.number}/report.${name}`, session });
  return [
    el("span", {}, `${r.number}: ${t(`qualification.about_${r.about}`)}`, el("span", { class: "why" }, moment(r.utc))),
    el("span", {}, badge(VERDICTS[r.verdict], t(`qualification.verdict_${r.verdict}`)), r.verdict === "pass" && el("p", {}, badge(WORTH[r.worth] ?? "neutral", t(`qualification.worth_${r.worth}`)))),
    el("span", {}, r.serial ?? "–", r.calibration && el("span", { class: "why" }, calibration(r.calibration))),
    el("span", {}, signed),
    r.report === "whole" ? el("div", { class: "buttons start" }, file("html"), file("json")) : badge("bad", t(`qualification.report_${r.report}`)),
  ];
}
