// What stands around every view: instrument, navigation, connection, account.

import { get, post, remove, setCsrf } from "./api.js";
import { ask } from "./dialogs.js";
import { el, replace, setAttribute } from "./dom.js";
import { LEAST_PASSWORD } from "./entrance.js";
import { choice } from "./fields.js";
import { clockTime } from "./format.js";
import { icon } from "./icons.js";
import { badge, problem } from "./parts.js";
import { FIRST, ROUTES } from "./routes.js";
import { THEMES, setTheme, theme } from "./theme.js";
import { t } from "./words.js";

const QUIET_MS = 3000;
const IDLE_EVERY_MS = 60000;

// {content: where views go, mark(route), end()}. signedOut() is called after signing out.
export function shell(page, { live, session, signedOut }) {
  const content = el("main", { id: "content", tabindex: "-1" });
  const skip = el("a", { class: "skip", href: "#content" }, t("common.skip"));
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    content.focus();
  });
  const { nav, mark } = navigation();
  const { node: banner, end } = connection(live, session);
  const round = (name, label, onclick) => el("button", { type: "button", class: "round", "aria-label": label, title: label, onclick }, icon(name));
  const header = el("header", { class: "bar" },
    el("img", { src: "app/icon.svg", alt: "", width: 32, height: 32 }),
    el("p", { class: "whose" }, el("strong", {}, session.instrument), el("span", {}, session.site)),
    round("theme", t("common.theme"), chooseTheme),
    round("account", t("common.account", { user: session.user }), () => account(session, signedOut)));
  replace(page, skip, header, el("div", { class: "frame" }, nav, el("div", { class: "middle" }, banner, content)));
  return { content, mark, end };
}

function navigation() {
  const links = new Map(ROUTES.map((name) => [name, el("a", { href: `#/${name}`, class: FIRST.includes(name) ? "first" : "later" }, icon(name), el("span", {}, t(`common.nav_${name}`)))]));
  const list = el("ul", { id: "nav-list" }, [...links].map(([name, link]) => el("li", { class: FIRST.includes(name) ? "first" : "later" }, link)));
  const more = el("button", { type: "button", class: "more", "aria-expanded": "false", "aria-controls": "nav-list" }, icon("more"), el("span", {}, t("common.nav_more")));
  const nav = el("nav", { "aria-label": t("common.navigation") }, list, more);
  const open = (wide) => {
    nav.classList.toggle("open", wide);
    more.setAttribute("aria-expanded", String(wide));
  };
  more.addEventListener("click", () => open(!nav.classList.contains("open")));
  nav.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.classList.contains("open")) return;
    open(false);
    more.focus();
  });
  const mark = (route) => {
    open(false);
    for (const [name, link] of links) setAttribute(link, "aria-current", name === route ? "page" : null);
    more.classList.toggle("current", !FIRST.includes(route));
  };
  return { nav, mark };
}

// Says what is lost and since when; nothing while all is well. A moment's silence is none.
function connection(live, session) {
  const node = el("div", { class: "banner", role: "status" });
  let shown = "";
  function tell() {
    const { stream, connection: door } = live.known;
    let words = "";
    if (!stream.open) {
      if (Date.now() - stream.since > QUIET_MS) words = t("common.stream_lost", { since: clockTime(stream.since) });
    } else if (door.door === false) words = t(door.silent ? "common.door_silent" : "common.door_lost", { since: door.since ? clockTime(door.since) : "–" });
    else if (session.idle) words = t("session.idle");
    if (words === shown) return;
    shown = words;
    replace(node, words ? badge(words === t("session.idle") ? "doubt" : "bad", words) : null);
  }
  const stop = live.on(["stream", "connection"], tell);
  const timer = setInterval(tell, 1000);
  // Asking is no action: it stays idle until somebody does something.
  const idle = setInterval(() => get("/session").then((found) => { session.idle = found.idle; }, () => {}), IDLE_EVERY_MS);
  return {
    node,
    end: () => {
      stop();
      clearInterval(timer);
      clearInterval(idle);
    },
  };
}

function chooseTheme() {
  const options = THEMES.map((name) => [name, t(`common.theme_${name}`)]);
  const before = theme();
  const field = choice({ label: t("common.theme"), options, value: before, change: setTheme });
  ask({ title: t("common.theme"), children: [field] }).then((kept) => kept ?? setTheme(before));
}

// Who is signed in; signing out, another password.
function account(session, signedOut) {
  const status = el("div", { class: "outcome" });
  const buttons = el("div", { class: "buttons start" },
    el("button", { type: "button", class: "button", onclick: () => changePassword(status) }, t("session.change_password")),
    el("button", { type: "button", class: "button danger", onclick: signOut }, t("session.sign_out")));
  async function signOut() {
    try {
      await remove("/session");
      signedOut();
    } catch (error) {
      replace(status, problem(error));
    }
  }
  const text = t("session.signed_in_as", { user: session.user, role: t(`common.role_${session.role}`) });
  ask({ title: t("session.account"), text, label: null, children: [buttons, status, el("p", { class: "hint" }, t("common.version", { version: session.version }))] });
}

async function changePassword(status) {
  const given = await ask({
    title: t("session.change_password"),
    label: t("session.change_password"),
    fields: [
      { name: "old", label: t("session.old_password"), type: "password", autocomplete: "current-password", required: true },
      { name: "new", label: t("session.new_password"), type: "password", autocomplete: "new-password", minlength: LEAST_PASSWORD, required: true },
    ],
  });
  if (given === null) return;
  try {
    const { csrf } = await post("/session/password", given);
    setCsrf(csrf);
    replace(status, badge("good", t("session.password_changed")));
  } catch (error) {
    replace(status, problem(error));
  }
}
