import assert from "node:assert/strict";
import test from "node:test";

import { moment, secondsSince } from "../../../spektron_edge/page/static/app/ages.js";
import { Backoff } from "../../../spektron_edge/page/static/app/backoff.js";
import { columns, extent, places } from "../../../spektron_edge/page/static/app/curves.js";
import { float32, spectrum } from "../../../spektron_edge/page/static/app/decode.js";
import { age, decimalsFor, exposure, number, withInterval } from "../../../spektron_edge/page/static/app/format.js";
import { Frames } from "../../../spektron_edge/page/static/app/frames.js";
import { LIMIT_AT, reading } from "../../../spektron_edge/page/static/app/gauge.js";
import { asked, columns as history } from "../../../spektron_edge/page/static/app/history_data.js";
import { may } from "../../../spektron_edge/page/static/app/permissions.js";
import { Ring } from "../../../spektron_edge/page/static/app/ring.js";
import { routeOf } from "../../../spektron_edge/page/static/app/routes.js";
import { staleness } from "../../../spektron_edge/page/static/app/staleness.js";
import { fault, reason, whyNotValid } from "../../../spektron_edge/page/static/app/reasons.js";
import { bandsOf, trendColumns } from "../../../spektron_edge/page/static/app/trend_data.js";
import { known, languageOf, setWords, t } from "../../../spektron_edge/page/static/app/words.js";

const base64 = (values) => Buffer.from(Float32Array.from(values).buffer).toString("base64");

test("a ring keeps the newest, in order, in bounded memory", () => {
  const ring = new Ring(3);
  for (let i = 0; i < 1000; i += 1) ring.push(i);
  assert.deepEqual(ring.all(), [997, 998, 999]);
  assert.equal(ring.last, 999);
  assert.ok(ring.items.length < 6);
});

test("waits double up to the most, shortened by half at most, and begin again", () => {
  const backoff = new Backoff({ first: 100, most: 1000, random: () => 0 });
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  backoff.random = () => 1;
  assert.equal(backoff.next(), 50);
});

test("drawing once a frame, and not while hidden", () => {
  const frames = [];
  let hidden = false;
  let drawn = 0;
  const draw = () => { drawn += 1; };
  const scheduler = new Frames((f) => frames.push(f), () => hidden);
  for (let i = 0; i < 10; i += 1) scheduler.ask(draw);
  assert.equal(frames.length, 1);
  frames.pop()();
  assert.equal(drawn, 1);
  hidden = true;
  scheduler.ask(draw);
  assert.equal(frames.length, 0);
  hidden = false;
  scheduler.schedule();
  frames.pop()();
  assert.equal(drawn, 2);
});

test("a spectrum whose parts differ in length is none", () => {
  assert.deepEqual([...float32(base64([1, 2.5]))], [1, 2.5]);
  assert.equal(spectrum({ counts: base64([1, 2]), dark: base64([1]) }), null);
  assert.equal(spectrum({ counts: base64([1, 2]), dark: null }).points, 2);
  assert.throws(() => float32("AAA="), RangeError);
});

test("curves rise in wavelength; the band is two sigma; the difference is to the mean", () => {
  const found = spectrum({ counts: base64([5, 6]), absorbance: base64([0.5, 0.25]), sigma: base64([0.125, 0.25]) });
  const axis = Float64Array.of(1100, 1000);
  assert.deepEqual(columns("absorbance", found, axis, null), [[1000, 1100], [0.25, 0.5], [0.75, 0.75], [-0.25, 0.25]]);
  assert.deepEqual(columns("difference", found, axis, [0.25, 0.25])[1], [0, 0.25]);
  assert.equal(columns("difference", found, axis, null), null);
  assert.equal(columns("counts", found, Float64Array.of(1), null), null);
  assert.deepEqual(places([0, 7], axis), [1100]);
  assert.deepEqual(extent([null, 2, 1, NaN]), { least: 1, most: 2, last: 1 });
  assert.equal(extent([null]), null);
});

test("a gauge is within, near or above, and never outside its bar", () => {
  assert.deepEqual(reading(1, 1), { share: LIMIT_AT, state: "near" });
  assert.equal(reading(0.5, 1).state, "within");
  assert.deepEqual(reading(50, 1), { share: 1, state: "above" });
  assert.equal(reading(null, 1).state, "unknown");
});

test("numbers, intervals and ages", () => {
  assert.equal(number(null), "–");
  assert.equal(number(8.24e-8), "8.24 e-8");
  assert.equal(decimalsFor(9.18, 9.47), 2);
  assert.deepEqual(withInterval({ value: 9.3216, low: 9.18, high: 9.47 }), { value: "9.32", low: "9.18", high: "9.47" });
  assert.equal(withInterval({ value: 9.3216, low: null, high: null }).low, null);
  assert.deepEqual([5, 1200, 12000, 180000].map(age), ["5 s", "20 min", "3 h 20 min", "2 d 2 h"]);
  assert.deepEqual([900, 12500, 1200000].map(exposure), ["900 µs", "12.5 ms", "1.20 s"]);
});

test("roles: each may what the one below may, unknown ones nothing", () => {
  assert.equal(may("viewer", "take-dark"), false);
  assert.equal(may("operator", "take-dark"), true);
  assert.equal(may("operator", "transfer-finish"), false);
  assert.equal(may("engineer", "transfer-finish"), true);
  assert.equal(may("somebody", "take-dark"), false);
});

test("words: holes are filled, what is unknown shows itself", () => {
  setWords({ greeting: "Hello {name}", "reason.saturated": "too much light" });
  assert.equal(t("greeting", { name: "Anna" }), "Hello Anna");
  assert.equal(t("greeting"), "Hello {name}");
  assert.equal(t("missing"), "missing");
  assert.equal(known("reason", "saturated"), "too much light");
  assert.equal(known("reason", "no_dark"), null);
});

test("words: the first language that there is, in any of its kinds", () => {
  assert.equal(languageOf(["de-CH", "en"], ["en", "de"]), "de");
  assert.equal(languageOf(["fr", "EN-gb"], ["de", "en"]), "en");
  assert.equal(languageOf(["fr"], ["en", "de"]), "en");
});

test("reasons: a sentence of a code and values", () => {
  setWords({ "said.far": "{property} moved by {value} since {scan}" });
  assert.equal(reason({ code: "far", values: { property: "dry_matter", value: 0.12345, scan: 12345 } }), "Dry matter moved by 0.123 since 12345");
});

test("faults: our words, what is told of this case, and what to do", () => {
  setWords({ "fault.saturated": "Too much light.", "next.saturated": "less", "fault.wrong": "Wrong.", "reason.no_dark": "Take a dark." });
  assert.deepEqual(fault({ code: "saturated", message: "3 channels [saturated] Next: less." }), { text: "Too much light.", detail: "3 channels", next: "less" });
  assert.deepEqual(fault({ code: "wrong", message: "name or password is wrong" }), { text: "Wrong.", detail: null, next: null });
  assert.deepEqual(fault({ code: "of_later", message: "what" }), { text: "what", detail: null, next: null });
  assert.deepEqual(["no_dark", "saturated", "of_later"].map(whyNotValid), ["Take a dark.", "Too much light.", "of_later"]);
});

test("a history goes on with newer predictions, which are not told twice", () => {
  const utc = (second) => new Date(second * 1000).toISOString();
  const answer = { utc: [utc(10), utc(20)], value: [1, 2], low: [0, 1], high: [2, 3], least: [0, 1], most: [2, 3], valid: [true, false] };
  const record = (second, value, valid = true) => ({ time: { utc: utc(second) }, valid, values: { oil: { value, low: null, high: null } } });
  const [seconds, value, high, low, most, least, invalid] = history(answer, [record(20, 9), record(30, 3), record(25, 8), record(40, 4, false)], "oil");
  assert.deepEqual(seconds, [10, 20, 30, 40]);
  assert.deepEqual(value, [1, null, 3, null]);
  assert.deepEqual(invalid, [null, 2, null, 4]);
  assert.deepEqual([high, low, most, least], [[2, 3, null, null], [0, 1, null, null], [2, 3, 3, 4], [0, 1, 3, 4]]);
});

test("a span ends now, a window where it says", () => {
  assert.deepEqual(asked("hour", null, 7200e3), { from: "1970-01-01T01:00:00.000Z", to: null });
  assert.deepEqual(asked("hour", [0, 1], 7200e3), { from: "1970-01-01T00:00:00.000Z", to: "1970-01-01T00:00:01.000Z" });
});

test("an address names a view, any other the first", () => {
  assert.equal(routeOf("#/audit?x=1"), "audit");
  assert.equal(routeOf("#/../api"), "now");
  assert.equal(routeOf(""), "now");
});

test("neither a clock that is set nor a tablet that slept makes anything younger", () => {
  const then = moment(2000, { wall: 1e12, steady: 9e5 });
  const after = (wall, steady) => secondsSince(then, { wall: 1e12 + 1000 * wall, steady: 9e5 + 1000 * steady });
  assert.equal(after(10, 10), 12);
  assert.equal(after(-3600, 10), 12);
  assert.equal(after(3600, 10), 3602);
  assert.equal(after(-3600, -1e9), 0);
});

test("a prediction passes for one of now for a minute, and for seconds where none can come", () => {
  const at = (seconds, open = true, door = true) => staleness({ predictionAt: { wall: 1e6, steady: 5e5 }, connection: { door }, stream: { open } }, { wall: 1e6 + 1000 * seconds, steady: 5e5 + 1000 * seconds });
  assert.equal(at(60), null);
  assert.equal(at(61), 61);
  assert.equal(at(5, false), null);
  assert.equal(at(6, false), 6);
  assert.equal(at(6, true, false), 6);
  assert.equal(at(6, true, null), null);
});

test("a control sample's columns: in the order of time, with limits a little beyond", () => {
  const levels = { target_high: 11, target_low: 9, sigma_high: 10.3, sigma_low: 9.7, centre: 10 };
  assert.deepEqual(bandsOf(levels).map(([name]) => name), ["usual", "tolerance"]);
  assert.deepEqual(bandsOf({ target_high: 11, target_low: 9 }), [["tolerance", 11, 9]]);
  const points = [{ utc: "2026-11-23T00:01:40Z", value: 10.1, verdict: "pass" }, { utc: "2026-11-23T00:00:00Z", value: 12, verdict: "fail" }];
  const [at, value, high, low, ...rest] = trendColumns(points, levels);
  assert.deepEqual(at.map((s) => s - at[1]), [-5, 0, 100, 105]);
  assert.deepEqual(value, [null, 12, 10.1, null]);
  assert.deepEqual([high, low], [[10.3, 10.3, 10.3, 10.3], [9.7, 9.7, 9.7, 9.7]]);
  assert.deepEqual(rest.at(-1), [null, 12, null, null]);
  assert.equal(rest.length, 3);
  const [one, alone] = trendColumns(points.slice(0, 1), {});
  assert.deepEqual(one.map((s) => s - one[1]), [-3600, 0, 3600]);
  assert.deepEqual(alone, [null, 10.1, null]);
});
