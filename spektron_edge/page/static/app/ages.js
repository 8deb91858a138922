// How long ago something was. A tablet's clock is set at times, and the one that is never set stands still
// while it sleeps: the longer of both counts, so that nothing old passes for new.

const clocks = () => ({ wall: Date.now(), steady: performance.now() });

// The moment that was so many milliseconds ago.
export function moment(agoMs = 0, { wall, steady } = clocks()) {
  return { wall: wall - agoMs, steady: steady - agoMs };
}

export function secondsSince(then, now = clocks()) {
  return Math.max(0, now.wall - then.wall, now.steady - then.steady) / 1000;
}
