// Numbers that travel as base64, little-endian as every machine with a browser is.

function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
  return out;
}

function numbers(text, Kind) {
  if (text === null || text === undefined) return null;
  const data = bytes(text);
  if (data.length % Kind.BYTES_PER_ELEMENT) throw new RangeError("base64 holds no whole numbers");
  return new Kind(data.buffer);
}

export const float32 = (text) => numbers(text, Float32Array);
export const float64 = (text) => numbers(text, Float64Array);

// A `spectrum` of the stream with its arrays decoded; null where its parts do not have one length.
export function spectrum(message) {
  const out = { ...message };
  let points = null;
  for (const name of ["counts", "dark", "white", "absorbance", "sigma"]) {
    out[name] = float32(message[name]);
    if (out[name] === null) continue;
    points ??= out[name].length;
    if (out[name].length !== points) return null;
  }
  return points === null ? null : { ...out, points, saturated: message.saturated ?? [], bad_pixels: message.bad_pixels ?? [] };
}
