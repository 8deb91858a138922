// Before anybody is signed in: signing in, and the first account of a new instrument.

import { post } from "./api.js";
import { el, replace } from "./dom.js";
import { input } from "./fields.js";
import { problem } from "./parts.js";
import { t } from "./words.js";

const NAME = { name: "user", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true };
export const LEAST_PASSWORD = 12;

// done(session) is called once somebody is signed in. note: why they are asked, or null.
export function entrance(root, session, done, note = null) {
  const first = session.first_boot;
  const fields = first
    ? [
      input({ name: "code", label: t("session.code"), hint: t("session.code_hint"), autocomplete: "off", autocapitalize: "none", required: true }),
      input({ ...NAME, label: t("session.user") }),
      input({ name: "password", label: t("session.new_password"), hint: t("session.password_hint", { least: LEAST_PASSWORD }), type: "password", autocomplete: "new-password", minlength: LEAST_PASSWORD, required: true }),
    ]
    : [
      input({ ...NAME, label: t("session.user") }),
      input({ name: "password", label: t("session.password"), type: "password", autocomplete: "current-password", required: true }),
    ];
  const status = el("div", { class: "outcome" });
  const button = el("button", { type: "submit", class: "button primary" }, t(first ? "session.make_account" : "session.sign_in"));
  const form = el("form", { class: "entrance card" },
    el("p", { class: "brand" }, el("img", { src: "app/icon.svg", alt: "", width: 40, height: 40 }), "Spektron Edge"),
    el("h1", {}, t(first ? "session.first_title" : "session.title")),
    el("p", { class: "where" }, t("session.where", { instrument: session.instrument, site: session.site })),
    first ? el("p", {}, t("session.first_text")) : null,
    note ? el("p", { class: "note", role: "status" }, note) : null,
    fields, button, status);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    replace(status);
    try {
      done(await post(first ? "/first-boot" : "/session", Object.fromEntries(new FormData(form))));
    } catch (error) {
      replace(status, problem(error));
    } finally {
      button.disabled = false;
    }
  });
  document.title = `${t(first ? "session.first_title" : "session.title")} · ${session.instrument}`;
  replace(root, el("main", { class: "door" }, form));
  form.querySelector("input").focus();
}
