"""What MkDocs asks us while it builds the site."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from navigation import navigation

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

_LOG = logging.getLogger("mkdocs.hooks.links")
_UPWARDS = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(?:#[^)]*)?\)")
# Loaded by every page before the theme's own script.
_SEARCHING = "search/without-server.js"
# A browser starts no worker from a file, but one from text that a page holds.
_FROM_TEXT = """\
if (location.protocol === "file:") {
  const text = %s;
  const Native = Worker;
  window.Worker = class extends Native {
    constructor() {
      super(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    }
  };
}
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation comes from the table."""
    config.nav = navigation(Path(config.docs_dir))
    config.extra["polyfills"] = [_SEARCHING]
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """A link to a file of the source that is no page names the file: the site has no copy of it."""
    docs = Path(config.docs_dir)

    def named(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = (docs / page.file.src_uri).parent.joinpath(target).resolve()
        if path.is_relative_to(docs):
            return link[0]
        if not path.exists():
            _LOG.warning("Doc file '%s' links '%s', which is not there", page.file.src_uri, target)
        shown = path.relative_to(docs.parent).as_posix()
        return f"`{shown}`" if text.strip("`") == shown else f"{text} (`{shown}`)"

    return _UPWARDS.sub(named, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """The search works on files, too.

    The theme takes its index from a script there; its own plugin for that has every page ask a
    server for a replacement of workers.
    """
    site = Path(config.site_dir)
    index = (site / "search" / "search_index.json").read_text("utf-8")
    (site / "search" / "search_index.js").write_text(f"var __index = {index}", "utf-8")
    (worker,) = (site / "assets" / "javascripts" / "workers").glob("search.*.min.js")
    text = json.dumps(worker.read_text("utf-8"))
    (site / _SEARCHING).write_text(_FROM_TEXT % text, "utf-8")
