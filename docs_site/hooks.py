"""What MkDocs asks us while it builds the site."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from navigation import navigation

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

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
