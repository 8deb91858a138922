"""What the documentation says of the configuration file: every field, and every example."""

from __future__ import annotations

import sys

import pytest

from spektron_edge.config.file import Config
from spektron_edge.setup.given import read_answers
from spektron_edge.setup.prober import Prober
from spektron_edge.setup.questions import steps
from tests.configuration_page import fields_of_the_file

from .blocks import blocks, pages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LEAST = {
    "site": "lab",
    "instrument": "m5",
    "state_dir": "state",
    "serial": {"url": "/dev/ttyUSB0"},
    "mqtt": {"url": "mqtt://127.0.0.1"},
}
ANSWERS = "# answers.toml\n"
EXAMPLES = [block for page in pages() for block in blocks(page) if block.language == "toml"]


def test_every_field_says_what_it_means():
    silent = [f"[{x.section}] {x.name}" for x in fields_of_the_file() if not x.field.description]
    assert not silent, "Field(description=...) in spektron_edge/config"


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: f"{block.page}:{block.line}")
def test_examples_are_taken(block, tmp_path):
    given = tomllib.loads(block.text)
    if block.text.startswith(ANSWERS):
        path = tmp_path / "answers.toml"
        path.write_text(block.text)
        answers, wrong = read_answers(path, steps(path, None, Prober(print), look=False))
        assert (answers.keys(), wrong) == (given.keys(), [])
    elif set(given) & set(Config.model_fields):
        Config.model_validate({**LEAST, **given})
