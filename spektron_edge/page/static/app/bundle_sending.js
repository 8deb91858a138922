// A bundle from this tablet: sent and verified, shown, and installed once somebody signs.

import { actionButton } from "./acting.js";
import { get, post, upload } from "./api.js";
import { signed } from "./dialogs.js";
import { el, replace, setText } from "./dom.js";
import { field } from "./form.js";
import { whole } from "./format.js";
import { badge, card, facts } from "./parts.js";
import { t } from "./words.js";

// Card of it. installed(words): told once it lies in its slot.
export function bundleSending(session, installed) {
  const file = field(t("bundles.file"), { type: "file", hint: t("bundles.file_hint") });
  const bar = el("progress", { max: 1, "aria-label": t("bundles.sent_bar"), hidden: true });
  const going = el("p", { class: "hint", role: "status" });
  const about = el("div", {});
  let found = null;

  const send = actionButton({ label: t("bundles.send"), action: "bundle-install", session, run: async () => {
    const [chosen] = file.input.files;
    if (!chosen) throw new Error(t("bundles.file_missing"));
    show(null);
    // Refused amid a large file, a browser may hear nothing: whoever has to sign in again hears it before.
    await get("/users");
    bar.value = 0;
    bar.hidden = false;
    setText(going, t("bundles.sending"));
    try {
      show(await upload("/bundles/incoming", chosen, (share) => {
        bar.value = share;
        if (share === 1) setText(going, t("bundles.checking"));
      }));
    } finally {
      bar.hidden = true;
      setText(going, "");
    }
    return null;
  } });
  const install = actionButton({ label: t("bundles.install"), action: "bundle-install", session, primary: true, run: async () => {
    const { sha256, bundle } = found;
    const done = await signed({ title: t("bundles.install"), what: t("bundles.install_signed", { bundle }) },
      (signature) => post("/bundles/incoming/install", { sha256, ...signature }));
    if (!done) return null;
    file.input.value = "";
    show(null);
    await installed(t("bundles.installed", { bundle, slot: done.slot.toUpperCase() }));
    return null;
  } });
  const head = el("h3", { tabindex: "-1" }, t("bundles.verified"));
  const verified = el("div", { class: "accept" }, head, about, install);

  function show(given) {
    found = given;
    verified.hidden = found === null;
    if (found === null) return;
    replace(about,
      el("p", {}, found.signed_by ? badge("good", t("bundles.intact")) : badge("doubt", t("bundles.whole"))),
      facts([[t("bundles.bundle"), found.bundle], [t("bundles.version"), `${found.version}`], [t("bundles.products"), found.products.join(", ")],
        [t("bundles.signed_by"), found.signed_by ?? t("bundles.nobody")], [t("bundles.size"), t("bundles.kilobytes", { count: whole(found.bytes / 1000) })],
        [t("bundles.sha256"), el("code", {}, found.sha256)]]),
      el("p", { class: "hint" }, t("bundles.kept_for")));
    head.focus();
  }
  show(null);
  return card(t("bundles.from_here"), el("p", {}, t("bundles.from_here_text")), file.node, send, bar, going, verified);
}
