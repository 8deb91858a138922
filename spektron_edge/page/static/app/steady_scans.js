// Waiting until the instrument has measured what lies in it now.

import { sound } from "./transfer_steps.js";

// Resolves once `n` sound scans have come that began after now, or after `timeout` milliseconds:
// then the instrument itself says what is missing. told(k): after each. The first that comes may
// have begun before.
export function steadyScans(live, n, told, timeout = 45000) {
  return new Promise((resolve) => {
    let seen = -1;
    const done = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(done, timeout);
    const stop = live.on(["prediction"], (known) => {
      if (seen >= 0 && !sound(known.prediction)) return;
      seen += 1;
      told(Math.max(0, seen));
      if (seen >= n) done();
    });
  });
}
