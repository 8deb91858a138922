// One file with what whoever helps needs to know.

import { download } from "../downloads.js";
import { el } from "../dom.js";
import { facts, card } from "../parts.js";
import { t } from "../words.js";

export const title = "support.title";

export function show(root, { session }) {
  const parts = ["configuration", "state", "inspection", "audit", "versions", "log"];
  root.append(
    el("p", { class: "lead" }, t("support.lead")),
    card(t("support.file"), el("ul", { class: "words" }, parts.map((part) => el("li", {}, t(`support.${part}`)))), el("p", {}, t("support.without")),
      download({ label: t("support.save"), action: "support", path: () => "/support.zip", session, primary: true })),
    card(t("support.about"), facts([[t("support.version"), session.version], [t("support.site"), session.site], [t("support.instrument"), session.instrument], [t("support.user"), session.user]]),
      el("p", {}, el("a", { class: "button", href: "api/v1/openapi.json", target: "_blank", rel: "noopener" }, t("support.openapi")))));
  return () => {};
}
