"""What docs/payloads.md promises about versions and documents, kept by tests."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from spektron_edge.cli.main import main
from spektron_edge.command_names import COMMANDS
from spektron_edge.config.commands import Operator
from spektron_edge.mqtt.commands import authorise, parse
from spektron_edge.publishing.schema import generate, names, schema
from tests.json_fields import flat
from tests.payload_pages import ABOUT, KEY

TESTS = Path(__file__).resolve().parents[2]
PROMISED = json.loads((TESTS / "golden" / "payloads_1.json").read_text())
DOCS = TESTS.parent / "docs"


def kinds(word: str) -> set[str]:
    """Types of a field as `flat` words them."""
    return set(re.split(r" or | (?=`)", word))


@pytest.mark.parametrize("name", PROMISED)
def test_what_was_promised_of_version_1_is_still_there_with_its_type(name):
    today: dict[str, set[str]] = {}
    for path, kind, _ in flat(generate()[name]):
        today.setdefault(path, set()).update(kinds(kind))
    for path, kind in PROMISED[name].items():
        assert path in today, f"{path} is gone: that is /2"
        assert today[path] == kinds(kind), f"{path} was {kind}: that is /2"


@pytest.mark.parametrize("name", [name for name in names() if name != "request"])
def test_a_record_with_fields_of_the_future_is_still_valid(name):
    text = json.dumps(schema(name))
    Draft202012Validator.check_schema(schema(name))
    assert '"additionalProperties": false' not in text
    required = schema(name)["required"]
    assert "schema" in required


def test_the_command_line_shows_each_schema_and_names_them_all(capsys):
    assert main(["schema", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["schemas"]
    assert set(PROMISED) < set(listed) == set(names())
    assert main(["schema", "prediction"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("prediction")
    with pytest.raises(SystemExit) as caught:
        main(["schema", "coffee"])
    assert caught.value.code == 2
    assert "'coffee' is none of axis, event" in capsys.readouterr().err


def test_every_command_is_in_the_page_s_table():
    assert set(ABOUT) == set(COMMANDS)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_the_page_s_example_fits_its_schema():
    (example,) = blocks("payloads.md", "json")
    Draft202012Validator(schema("prediction")).validate(json.loads(example))
    request, response = map(json.loads, blocks("commands.md", "json"))
    Draft202012Validator(schema("request")).validate(request)
    Draft202012Validator(schema("response")).validate(response)


def test_a_request_signed_as_the_page_shows_is_accepted(tmp_path):
    (code,) = blocks("commands.md", "python")
    found: dict = {}
    exec(code, found)
    (tmp_path / "key").write_bytes(KEY.secret)
    operators = (Operator(name="anna", key_file=tmp_path / "key", may=("set-integration",)),)
    for arguments in (None, {"integration_us": 900}):
        given = (KEY.secret, "spektron/lab/m5", "set-integration", "anna", 5, "c", arguments)
        request = parse(found["signed"](*given).encode())
        authorise(request, "set-integration", "spektron/lab/m5", operators, lambda *_: True)
        assert request.arguments == (arguments or {})
