// Waits between tries: doubling from `first` to `most` milliseconds, each shortened at random by up
// to a half, so that many pages do not come back at the same moment.

export class Backoff {
  constructor({ first = 500, most = 15000, random = Math.random } = {}) {
    Object.assign(this, { first, most, random });
    this.tries = 0;
  }

  next() {
    const whole = Math.min(this.most, this.first * 2 ** this.tries);
    this.tries = Math.min(this.tries + 1, 30);
    return whole * (1 - 0.5 * this.random());
  }

  reset() {
    this.tries = 0;
  }
}
