// Requests to the instrument's HTTP interface. What went wrong is a Refusal with its code.

const ROOT = "api/v1";
let csrf = null;

export class Refusal extends Error {
  constructor(status, { error, message }, retryAfter = null) {
    super(message);
    Object.assign(this, { status, code: error, retryAfter });
  }
}

export function setCsrf(token) {
  csrf = token;
}

// signedOut is called once a request is answered with 401 although somebody was signed in.
let signedOut = () => {};
export function onSignedOut(f) {
  signedOut = f;
}

async function request(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  let answer;
  try {
    answer = await fetch(`${ROOT}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refusal(0, { error: "unreachable", message: null });
  }
  const data = answer.headers.get("Content-Type")?.includes("json") ? await answer.json().catch(() => null) : null;
  if (answer.ok) return data;
  throw refused(answer.status, path, data, answer.headers.get("Retry-After"));
}

// Send a file. told(share): of it that is sent, 0..1. fetch() would not tell.
export function upload(path, file, told) {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    asked.open("POST", `${ROOT}${path}`);
    asked.setRequestHeader("Content-Type", "application/octet-stream");
    if (csrf) asked.setRequestHeader("X-CSRF-Token", csrf);
    asked.upload.addEventListener("progress", (event) => event.lengthComputable && told(event.loaded / event.total));
    asked.addEventListener("error", () => reject(new Refusal(0, { error: "unreachable", message: null })));
    asked.addEventListener("load", () => {
      const data = json(asked.responseText);
      if (asked.status < 300) resolve(data);
      else reject(refused(asked.status, path, data, asked.getResponseHeader("Retry-After")));
    });
    asked.send(file);
  });
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refused(status, path, data, wait) {
  if (status === 401 && csrf && path !== "/session") signedOut();
  return new Refusal(status, data ?? { error: "unknown", message: `HTTP ${status}` }, wait);
}

export const get = (path) => request("GET", path);
export const post = (path, body = {}) => request("POST", path, body);
export const patch = (path, body) => request("PATCH", path, body);
export const remove = (path) => request("DELETE", path);
export const address = (path) => `${ROOT}${path}`;

// Parts of a query that have a value.
export function query(parts) {
  const given = Object.entries(parts).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
