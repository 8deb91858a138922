// The stream of server-sent events, and what is known by now. Views subscribe to names and read
// `known`; a lost stream is opened again with growing waits.

import { moment } from "./ages.js";
import { address, get } from "./api.js";
import { Backoff } from "./backoff.js";
import { float64, spectrum } from "./decode.js";
import { Ring } from "./ring.js";

const KEPT_PREDICTIONS = 600;
const KEPT_EVENTS = 100;
const KEPT_ANSWERS = 50;
const NAMES = ["prediction", "event", "state", "model", "spectrum", "axis", "faults", "connection", "answer"];

function empty() {
  return {
    prediction: null, predictionAt: moment(), spectrum: null, state: null, model: null, axis: null,
    mean: null, meanOf: null, faults: [], reference: null, referenceAt: moment(),
    connection: { door: null, since: null },
    stream: { open: false, since: Date.now() },
    predictions: new Ring(KEPT_PREDICTIONS),
    events: new Ring(KEPT_EVENTS),
    answers: new Ring(KEPT_ANSWERS),
  };
}

export class Live {
  constructor(openStream = (url) => new EventSource(url)) {
    this.openStream = openStream;
    this.backoff = new Backoff();
    this.listeners = new Map();
    this.known = empty();
    this.source = null;
    this.timer = null;
    this.axisAsked = null;
  }

  // Call `f` whenever one of `names` changed; returns how to end that.
  on(names, f) {
    for (const name of names) {
      if (!this.listeners.has(name)) this.listeners.set(name, new Set());
      this.listeners.get(name).add(f);
    }
    return () => names.forEach((name) => this.listeners.get(name)?.delete(f));
  }

  tell(name) {
    for (const f of this.listeners.get(name) ?? []) f(this.known);
  }

  start() {
    this.stop();
    this.known = empty();
    this.connect();
  }

  stop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  async connect() {
    this.source?.close();
    const source = this.openStream(address("/live?spectra=10"));
    this.source = source;
    source.onopen = () => {
      this.backoff.reset();
      this.setStream(true);
      this.catchUp();
    };
    // EventSource tries again by itself after some failures and never after others: always ours.
    source.onerror = () => {
      if (this.source !== source) return;
      source.close();
      this.setStream(false);
      this.timer = setTimeout(() => this.connect(), this.backoff.next());
    };
    for (const name of NAMES) {
      source.addEventListener(name, (message) => this.take(name, JSON.parse(message.data)));
    }
  }

  setStream(open) {
    if (this.known.stream.open === open) return;
    this.known.stream = { open, since: Date.now() };
    this.tell("stream");
  }

  // What was known before this stream began.
  async catchUp() {
    try {
      const now = await get("/now");
      this.known.connection = now.connection;
      this.known.reference = now.reference;
      this.known.referenceAt = moment();
      for (const name of ["state", "model", "faults"]) if (now[name]) this.known[name] = now[name];
      if (now.prediction && !this.known.prediction) this.take("prediction", now.prediction);
      // The stream begins with the last one as well, however old: by the instrument's own clock.
      if (now.prediction && this.known.prediction.id === now.prediction.id) {
        this.known.predictionAt = moment(Math.max(0, Date.parse(now.utc) - Date.parse(now.prediction.time.utc)));
        this.tell("prediction");
      }
      for (const name of ["connection", "reference", "state", "model", "faults"]) this.tell(name);
      this.askAxis("first");
    } catch {
      // The stream's own end tells it; the next start catches up.
    }
  }

  // Once for each axis, not once for each spectrum on it.
  askAxis(id) {
    if (this.axisAsked === id) return;
    this.axisAsked = id;
    this.readAxis().catch(() => {
      this.axisAsked = null;
    });
  }

  async readAxis() {
    const found = await get("/axis");
    this.known.axis = { id: found.id, values: Float64Array.from(found.values) };
    this.known.mean = found.mean;
    this.known.meanOf = found.mean_of;
    this.tell("axis");
  }

  take(name, data) {
    const known = this.known;
    if (name === "prediction") {
      known.prediction = data;
      known.predictionAt = moment();
      known.predictions.push(data);
    } else if (name === "spectrum") {
      const decoded = spectrum(data);
      if (decoded === null) return;
      known.spectrum = decoded;
      if (known.axis && decoded.axis !== known.axis.id) this.askAxis(decoded.axis);
    } else if (name === "axis") {
      if (known.axis?.id === data.id && known.mean) return;
      known.axis = { id: data.id, values: float64(data.values) };
      known.mean = null;
      this.askAxis(data.id);
    } else if (name === "event") known.events.push(data);
    else if (name === "answer") known.answers.push(data);
    else if (name === "faults") known.faults = data.faults ?? data;
    else known[name] = data;
    this.tell(name);
  }

  // The last answer to a command that was only accepted so far; null after `timeout` milliseconds.
  answerTo(id, timeout = 300000) {
    const finished = () => this.known.answers.all().find((a) => a.id === id && a.stage !== "accepted") ?? null;
    return new Promise((resolve) => {
      const done = (answer) => {
        clearTimeout(timer);
        stop();
        resolve(answer);
      };
      const timer = setTimeout(() => done(null), timeout);
      const stop = this.on(["answer"], () => finished() && done(finished()));
      if (finished()) done(finished());
    });
  }
}
