// The start: words, who is signed in, and the view of the address.

import { answersFrom } from "./acting.js";
import { get, onSignedOut, setCsrf } from "./api.js";
import { el, replace } from "./dom.js";
import { entrance } from "./entrance.js";
import { frames } from "./frames.js";
import { Live } from "./live.js";
import { loading, problem } from "./parts.js";
import { routeOf } from "./routes.js";
import { shell } from "./shell.js";
import * as words from "./words.js";

const { t } = words;
const page = document.getElementById("page");
const live = new Live();
answersFrom(live);
document.addEventListener("visibilitychange", () => frames.schedule());

let session = null;
let frame = null;
let end = () => {};
let asked = 0;

const go = (route) => {
  location.hash = `#/${route}`;
};

// The view of the address. A view that comes too late, because another one was asked for, is not shown.
async function show({ focus }) {
  if (!frame) return;
  asked += 1;
  const mine = asked;
  const route = routeOf(location.hash);
  finish();
  frame.mark(route);
  replace(frame.content, loading());
  try {
    const view = await import(`./views/${route}.js`);
    if (mine !== asked || !frame) return;
    const title = el("h1", { tabindex: "-1" }, t(view.title));
    const root = el("div", { class: "view" });
    replace(frame.content, title, root);
    document.title = `${t(view.title)} · ${session.instrument}`;
    window.scrollTo(0, 0);
    if (focus) title.focus({ preventScroll: true });
    end = view.show(root, { live, session, go, t, words }) ?? (() => {});
  } catch (error) {
    if (mine === asked && frame) replace(frame.content, problem(error));
  }
}

function finish() {
  end();
  end = () => {};
}

function begin(found) {
  session = found;
  setCsrf(found.csrf);
  frame?.end();
  frame = shell(page, { live, session, signedOut: () => leave(null) });
  live.start();
  show({ focus: false });
}

// Back to the sign-in. note: why, or null.
async function leave(note) {
  if (frame === null) return;
  finish();
  live.stop();
  frame.end();
  frame = null;
  setCsrf(null);
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  const found = await get("/session").catch(() => ({ ...session, signed_in: false, first_boot: false }));
  // Somebody is signed in and may only look: the next one who acts says who it is.
  if (found.signed_in && found.idle) {
    setCsrf(found.csrf);
    entrance(page, found, begin, t("session.idle"));
  } else enter(found, note);
}

function enter(found, note = null) {
  if (found.signed_in) begin(found);
  else entrance(page, found, begin, note);
}

onSignedOut(() => leave(t("session.ended")));
// A stream says only that it ended: whether the login did is asked.
live.on(["stream"], async (known) => {
  if (known.stream.open || frame === null) return;
  const found = await get("/session").catch(() => null);
  if (found && !found.signed_in) leave(t("session.ended"));
});
window.addEventListener("hashchange", () => show({ focus: true }));

try {
  await words.loadWords();
  enter(await get("/session"));
} catch (error) {
  replace(page, el("main", { class: "door" }, problem(error)));
  setTimeout(() => location.reload(), 10000);
}
