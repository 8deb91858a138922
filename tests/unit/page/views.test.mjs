import assert from "node:assert/strict";
import test from "node:test";

import { against, approvals, curves, judgedRows, overOf, valueRows } from "../../../spektron_edge/page/static/app/adaptation_sides.js";
import { secondsSince } from "../../../spektron_edge/page/static/app/ages.js";
import { Live } from "../../../spektron_edge/page/static/app/live.js";
import { momentOf, spanOf } from "../../../spektron_edge/page/static/app/spans.js";
import { steadyScans } from "../../../spektron_edge/page/static/app/steady_scans.js";
import { parseSamples, predicted, progress, sound, step } from "../../../spektron_edge/page/static/app/transfer_steps.js";

const sample = (name, quality = "good") => ({ sample: name, scans: 3, quality, reasons: [], labels: {} });
const open = (samples, wanted) => ({ id: "x", samples, wanted, next: wanted[0] ?? null, steps: [] });

test("the step of a transfer follows what is measured, fitted and decided", () => {
  const at = (given) => step({ open: null, fitting: false, last: null, ...given });
  const all = open([sample("55"), sample("75"), sample("5")], []);
  assert.equal(at({}), "start");
  assert.equal(at({ last: { accepted: true } }), "start");
  assert.equal(at({ open: open([], ["55"]) }), "measure");
  assert.equal(at({ open: open(all.samples, ["16"]) }), "measure");
  assert.equal(at({ open: all }), "compute");
  assert.equal(at({ open: all, fitting: true }), "compute");
  assert.equal(at({ open: all, last: { accepted: false } }), "use");
  assert.equal(at({ open: open([sample("55"), sample("75", "bad"), sample("5")], []) }), "measure");
});

test("progress counts what is kept from the fit as missing, and a cup that is measured again once", () => {
  const found = progress(open([sample("55"), sample("75", "bad"), sample("5", "doubt")], ["75", "16"]));
  assert.deepEqual(found, { measured: 3, total: 4, left: ["16"], missing: 1, doubtful: ["75", "5"] });
});

test("cups are read as people write them", () => {
  const known = ["55", "75", "5", "corn 12"];
  assert.deepEqual(parseSamples(" 55, 75 5;", known), { chosen: ["55", "75", "5"], unknown: [] });
  assert.deepEqual(parseSamples("corn 12, 55, 55", known), { chosen: ["corn 12", "55"], unknown: [] });
  assert.deepEqual(parseSamples("55, 555", known), { chosen: ["55"], unknown: ["555"] });
  assert.deepEqual(parseSamples("", known), { chosen: [], unknown: [] });
});

test("predicted errors keep their interval and whether they may be used", () => {
  const last = { predicted: { oil: { unit: "%", valid: false, method: "average", rmsep: 0.1, rmsep_low: 0.08, rmsep_high: 0.15 } } };
  assert.deepEqual(predicted(last), [{ name: "oil", unit: "%", rmsep: 0.1, low: 0.08, high: 0.15, valid: false }]);
});

class Stream {
  constructor() { this.f = null; }
  on(names, f) { this.f = f; return () => { this.f = null; }; }
  scan(value) { this.f?.({ prediction: { values: { oil: { value } } } }); }
}

test("steady scans: the first may have begun before, and unsound ones do not count", async () => {
  const [live, told] = [new Stream(), []];
  const done = steadyScans(live, 2, (k) => told.push(k));
  for (const value of [1, 2, null, 3]) live.scan(value);
  await done;
  assert.deepEqual(told, [0, 1, 2]);
  assert.equal(live.f, null);
  assert.equal(sound({ values: { oil: { value: null } } }), false);
});

test("steady scans: without any the waiting ends", async () => {
  const live = new Stream();
  await steadyScans(live, 2, () => {}, 1);
  assert.equal(live.f, null);
});

test("values beside each other only with a shadow of this very proposal", () => {
  const values = (x) => ({ oil: { value: x, unit: "%" } });
  const prediction = { values: values(3), shadow: { adaptation: { version: 4 }, values: values(3.5) } };
  assert.deepEqual(valueRows(4, prediction), [{ name: "oil", unit: "%", now: 3, then: 3.5, change: 0.5 }]);
  assert.deepEqual(valueRows(3, prediction), []);
  assert.deepEqual(valueRows(4, { values: values(3), shadow: null }), []);
  assert.deepEqual(valueRows(4, null), []);
  assert.equal(valueRows(4, { ...prediction, values: values(null) })[0].change, null);
});

test("what speaks against a proposal is told together, what the guard has measured as before and after", () => {
  assert.deepEqual(against({ refusals: ["a"], doubts: ["b"], tried: null }), ["a", "b"]);
  assert.deepEqual(against({ refusals: [], doubts: ["b"], tried: ["c"] }), ["b", "c"]);
  const metrics = { misfit_before: 4, misfit_after: 1, apart_before: 1, apart_after: 2, loss_before: 0, loss_after: 0 };
  assert.deepEqual(judgedRows(metrics), [{ name: "misfit", before: 4, after: 1, better: true }, { name: "apart", before: 1, after: 2, better: false }]);
  assert.deepEqual(judgedRows({}), []);
});

test("corrections are compared on one axis, rising; the bundle's own corrects nothing", () => {
  const falling = { wavelength_nm: [3, 2, 1], correction: [0.3, NaN, 0.1] };
  assert.deepEqual(curves(falling, null), [[1, 2, 3], [0, 0, 0], [0.1, null, 0.3]]);
  assert.deepEqual(curves(falling, { wavelength_nm: [3, 2, 1], correction: [1, 2, 3] })[1], [3, 2, 1]);
  assert.equal(curves(falling, { wavelength_nm: [4, 3, 2], correction: [1, 2, 3] }), null);
  assert.equal(curves({ wavelength_nm: null, correction: null }, null), null);
});

test("approvals and signs are counted", () => {
  assert.deepEqual(approvals({ approved_by: ["anna"] }, 2), { by: ["anna"], given: 1, needed: 2, missing: 1 });
  assert.deepEqual(overOf([{ over: true }, { over: false }]), { over: 1, of: 2 });
});

test("spans of time end now, or where the fields say", () => {
  const now = Date.UTC(2026, 10, 22, 10);
  assert.deepEqual(spanOf("hour", {}, now), { from: "2026-11-22T09:00:00.000Z", to: null });
  assert.deepEqual(spanOf("all", {}, now), { from: null, to: null });
  assert.deepEqual(spanOf("own", { from: "", to: "nonsense" }, now), { from: null, to: null });
  assert.equal(momentOf("2026-11-22T10:00:00"), new Date("2026-11-22T10:00:00").toISOString());
});

test("after a reload, the last prediction is as old as the instrument says", async () => {
  const prediction = { id: "01", time: { utc: "2026-11-23T10:00:00Z" }, scan: {}, values: {} };
  const answer = { utc: "2026-11-23T10:02:00Z", prediction, connection: { door: true, since: null }, reference: null };
  globalThis.fetch = async (path) => new Response(path.includes("/now") ? JSON.stringify(answer) : "{}", { headers: { "Content-Type": "application/json" } });
  const live = new Live();
  // The stream brings it at once.
  live.take("prediction", prediction);
  await live.catchUp();
  const seconds = secondsSince(live.known.predictionAt);
  assert.ok(seconds >= 120 && seconds < 180, `${seconds}`);
  live.take("prediction", { ...prediction, id: "02" });
  assert.ok(secondsSince(live.known.predictionAt) < 60);
});
