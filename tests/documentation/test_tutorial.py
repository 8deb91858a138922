"""The tutorial, from its first configuration to its last command, as a reader goes through it."""

from __future__ import annotations

import pytest

from spektron_edge.demo.broker import free_port
from tests.requirements import need

from .blocks import SHELL, Block, blocks, typed
from .terminal import Terminal

PAGE = "docs/tutorial.md"
# Its first block; the program is installed already where its tests run.
INSTALLING = ("make", ".venv/bin/pip", "export")
BROKER = "18830"


class Reader(Terminal):
    """Does what the page says; only the broker's port and the page's are others here."""

    def __init__(self, folder):
        super().__init__(folder)
        self._port, self.answers = str(free_port()), {}

    def here(self, word):
        return word.replace(BROKER, self._port)

    def follow(self, block: Block):
        if block.language in SHELL:
            for command in typed(block):
                if command.words[0] in INSTALLING:
                    continue
                self.answers.setdefault(command.text, []).append(self.run(command))
        elif block.file:
            text = block.text.replace(BROKER, self._port)
            if block.language == "toml":
                text += f"[page]\nport = {free_port()}\n"
            (self.folder / block.file).write_text(text)


@pytest.mark.long
def test_the_tutorial_goes_from_an_unknown_instrument_to_valid_predictions(tmp_path, monkeypatch):
    need("broker")
    monkeypatch.chdir(tmp_path)
    reader = Reader(tmp_path)
    try:
        for block in blocks(PAGE):
            reader.follow(block)
    finally:
        reader.close()
    scans = next(said for text, said in reader.answers.items() if " scan-now " in text)
    assert [("is invalid" in said, "is valid" in said) for said in scans] == [
        (True, False),
        (False, True),
    ], scans
    added = [said[0] for text, said in reader.answers.items() if " transfer add " in text]
    assert len(added) == 5
    assert all("is good" in said for said in added)
