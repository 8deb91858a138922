// Whether what is shown is of now.

import { secondsSince } from "./ages.js";

const FRESH_S = 60;
const AWAY_S = 5;

// Age in seconds of a prediction that must not pass for one of now; null for one that is fresh. Without the
// daemon or the stream none comes, so that less age is enough.
export function staleness({ predictionAt, connection, stream }, now) {
  const seconds = secondsSince(predictionAt, now);
  const away = !stream.open || connection.door === false;
  return seconds > (away ? AWAY_S : FRESH_S) ? seconds : null;
}
