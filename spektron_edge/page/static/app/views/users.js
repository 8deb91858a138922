// Accounts of this page: everybody's own password, and who may do what.

import { actionButton } from "../acting.js";
import { get, patch, post, setCsrf } from "../api.js";
import { ask } from "../dialogs.js";
import { el, replace } from "../dom.js";
import { field } from "../form.js";
import { notice } from "../notice.js";
import { badge, card } from "../parts.js";
import { may } from "../permissions.js";
import { refreshed } from "../refreshed.js";
import { t } from "../words.js";

export const title = "users.title";

const ROLES = ["viewer", "operator", "engineer"];
const roles = () => ROLES.map((role) => [role, t(`common.role_${role}`)]);
const SECRET = { type: "password", autocomplete: "new-password" };
// Whoever gives or changes an account proves to be there.
const yours = () => ({ name: "your_password", label: t("common.your_password"), type: "password", required: true, autocomplete: "current-password" });

export function show(root, { session }) {
  const manages = may(session.role, "users");
  const list = el("div", {});
  const said = notice();
  const part = refreshed(() => get("/users"), (found) => replace(list, accounts(found.users ?? [], { session, part, said })));
  root.append(el("p", { class: "lead" }, t("users.lead")), el("div", { class: "pair" }, own(session), about()));
  if (manages) root.append(card(t("users.accounts"), said.node, part.node, list), adding(session, part));
  else root.append(card(t("users.accounts"), el("p", { class: "hint" }, t("users.engineers_only"))));
  if (manages) part.again();
  return () => part.end();
}

function own(session) {
  const old = field(t("users.old"), { type: "password", autocomplete: "current-password" });
  const [fresh, again] = [field(t("users.new"), { ...SECRET, hint: t("users.password_hint") }), field(t("users.again"), SECRET)];
  const button = actionButton({ label: t("users.change_own"), action: null, session, run: async () => {
    if (fresh.input.value !== again.input.value) throw new Error(t("users.differ"));
    const answer = await post("/session/password", { old: old.input.value, new: fresh.input.value });
    // The old session ends with the old password; the answer brings another.
    if (answer?.csrf) {
      setCsrf(answer.csrf);
      Object.assign(session, answer);
    }
    for (const f of [old, fresh, again]) f.input.value = "";
    return t("users.changed");
  } });
  return card(t("users.own"), el("form", { onsubmit: (event) => event.preventDefault() }, old.node, fresh.node, again.node), button);
}

function about() {
  return card(t("users.roles"), el("dl", { class: "roles" }, ROLES.map((role) => [el("dt", {}, t(`common.role_${role}`)), el("dd", {}, t(`users.may_${role}`))])));
}

function accounts(users, how) {
  return el("ul", { class: "accounts" }, users.map((user) => el("li", {},
    el("div", { class: "who" }, el("strong", {}, user.name), user.name === how.session.user && el("span", { class: "hint" }, t("users.you")), el("span", {}, t(`common.role_${user.role}`)),
      !user.active && badge("neutral", t("users.is_locked"))),
    changes(user, how))));
}

// Told above the list: it is drawn anew.
function changes(user, { session, part, said }) {
  const change = async (given, told) => {
    await patch(`/users/${encodeURIComponent(user.name)}`, given);
    await part.again();
    said.say("good", told, { focus: true });
    return null;
  };
  const button = (label, run, how = {}) => {
    const node = actionButton({ label, action: "users", session, run, ...how });
    node.button.setAttribute("aria-label", `${label}: ${user.name}`);
    return node;
  };
  const { active } = user;
  return el("div", { class: "buttons" },
    button(t("users.set_role"), async () => {
      const given = await ask({ title: t("users.role_of", { user: user.name }), fields: [{ name: "role", label: t("users.role"), type: "select", options: roles(), value: user.role }, yours()], label: t("users.set_role") });
      return given && change(given, t("users.role_set", { user: user.name, role: t(`common.role_${given.role}`) }));
    }),
    button(t("users.set_password"), async () => {
      const given = await ask({ title: t("users.password_of", { user: user.name }), fields: [{ name: "password", label: t("users.new"), required: true, hint: t("users.password_hint"), ...SECRET }, yours()], label: t("users.set_password") });
      return given && change(given, t("users.password_set", { user: user.name }));
    }),
    user.name !== session.user && button(t(active ? "users.lock" : "users.unlock"), async () => {
      const label = t(active ? "users.lock" : "users.unlock");
      const given = await ask({ title: label, text: active ? t("users.lock_text", { user: user.name }) : null, fields: [yours()], label, danger: active });
      return given && change({ active: !active, ...given }, t(active ? "users.locked" : "users.unlocked", { user: user.name }));
    }, { danger: active }));
}

function adding(session, part) {
  const name = field(t("users.name"), { hint: t("users.name_hint"), maxlength: 32 });
  const role = field(t("users.role"), { type: "select", options: roles(), value: "operator" });
  const password = field(t("users.first_password"), { ...SECRET, hint: t("users.password_hint") });
  const button = actionButton({ label: t("users.add"), action: "users", session, primary: true, run: async () => {
    const user = name.input.value.trim();
    const given = await ask({ title: t("users.add"), fields: [yours()], label: t("users.add") });
    if (!given) return null;
    await post("/users", { user, role: role.input.value, password: password.input.value, ...given });
    for (const f of [name, password]) f.input.value = "";
    await part.again();
    return t("users.added", { user });
  } });
  return card(t("users.adding"), el("form", { onsubmit: (event) => event.preventDefault() }, name.node, role.node, password.node), button);
}
