from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.config.toml import tomllib
from spektron_edge.setup.toml_edit import NotInPlace, edited

FILE = """# who we are
site = "lab"   # of the plant
instrument = "m5"

[serial]  # the line
url = "/dev/ttyUSB0"
wavelength_nm = [
  1.0,  # a0
  2.0,
]
baud = 9600

[[commands.operators]]
name = "anna"

[mqtt]
url = "mqtt://a"
"""


def test_comments_and_what_is_not_named_stay():
    changes = {
        ("", "site"): "plant",
        ("", "state_dir"): "state",
        ("serial", "wavelength_nm"): [3.0, 4.0],
        ("serial", "baud"): None,
        ("mqtt", "username"): 'a "quoted"\x7f\\ name',
        ("outbox", "max_mb"): 12.5,
        ("page", "host"): None,
        ("serial", "url"): "/dev/ttyUSB0",
    }
    assert (
        edited(FILE, changes)
        == """# who we are
site = "plant"
instrument = "m5"
state_dir = "state"

[serial]  # the line
url = "/dev/ttyUSB0"
wavelength_nm = [3.0, 4.0]

[[commands.operators]]
name = "anna"

[mqtt]
url = "mqtt://a"
username = "a \\"quoted\\"\\u007f\\\\ name"

[outbox]
max_mb = 12.5
"""
    )


def test_nothing_changes_where_everything_is_as_wanted():
    assert edited(FILE, {("", "site"): "lab", ("serial", "baud"): 9600}) == FILE


@pytest.mark.parametrize(
    "text",
    ['mqtt = { url = "a" }\n', 'mqtt.url = "a"\n', '[mqtt]\n"url" = "a"\n', 'mqtt = "a"\n'],
)
def test_what_cannot_be_changed_in_place_is_refused(text):
    with pytest.raises(NotInPlace):
        edited(text, {("mqtt", "url"): "b"})


def test_a_header_in_a_text_is_none():
    text = 'site = """\n[mqtt]\nurl = 1\n"""\n'
    with pytest.raises(NotInPlace):
        edited(text, {("mqtt", "url"): "b"})


VALUES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.integers(-(2**53), 2**53),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)
SECTIONS = st.sampled_from(["", "serial", "mqtt", "page"])
KEYS = st.sampled_from(["url", "names", "a_b", "c"])


@given(
    st.dictionaries(st.tuples(SECTIONS, KEYS), VALUES, max_size=8),
    st.dictionaries(st.tuples(SECTIONS, KEYS), st.none() | VALUES, max_size=8),
)
def test_every_value_arrives_and_all_others_stay(before, changes):
    lines = []
    for section in ("", "serial", "mqtt", "page"):
        held = {key: value for (s, key), value in before.items() if s == section}
        lines += [f"[{section}]"] if section and held else []
        for key, value in held.items():
            told = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            lines.append(f"{key} = {told} # {key}")
    made = tomllib.loads(edited("\n".join(lines) + "\n", changes))
    flat = {("", k): v for k, v in made.items() if not isinstance(v, dict)}
    flat |= {(s, k): v for s, t in made.items() if isinstance(t, dict) for k, v in t.items()}
    wanted = {k: v for k, v in {**before, **changes}.items() if v is not None}
    assert flat == wanted
