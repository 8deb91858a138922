"""The site that `make docs` builds: whole, and asking nobody else for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from docs_site.navigation import placed
from tests.requirements import need

from .blocks import ROOT

# What a browser loads by itself; a link waits until somebody follows it.
LOADED = {"script", "link", "img", "source", "iframe", "audio", "video", "embed", "object", "use"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built into a folder of its own; warnings are errors."""
    folder = tmp_path_factory.mktemp("site")
    settings = ["--config-file", "docs_site/mkdocs.yml", "--site-dir", str(folder), "--quiet"]
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", *settings],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Loads(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.urls = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in LOADED and given.get("rel") not in ("canonical", "next", "prev"):
            urls = [given.get(name) for name in ("src", "href", "data", "poster", "xlink:href")]
            self.urls += [url for url in urls if url] + (given.get("srcset") or "").split()


def test_every_page_has_one_place_in_the_navigation():
    docs = ROOT / "docs"
    pages = sorted(p.relative_to(docs).as_posix() for p in docs.rglob("*.md"))
    expected = [page for page in pages if not page.startswith("decisions/")]
    there = sorted(page for page in placed() if (docs / page).is_file())
    assert there == expected, "docs_site/navigation.py has the table"


def test_no_page_loads_anything_of_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(placed())
    for page in pages:
        for url in Loads(page.read_text("utf-8")).urls:
            parts = urlsplit(url)
            assert not parts.netloc, f"{page.name} loads {url}"
            assert parts.scheme in ("", "data"), f"{page.name} loads {url}"
    for style in site.rglob("*.css"):
        for url in re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')\s]+)", style.read_text("utf-8")):
            assert url.startswith("data:") or not urlsplit(url).netloc, f"{style.name}: {url}"


def test_the_search_finds_a_page_from_disk_and_asks_no_server(site):
    need("browser")
    from tests.page_browser import chromium

    asked = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "reference" / "commands.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("replay_refused")
        found = page.locator(".md-search-result__list")
        found.get_by_text("Faults").first.wait_for(timeout=120_000)
    assert {urlsplit(url).scheme for url in asked} <= {"file", "blob", "data"}
