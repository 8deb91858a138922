"""Arguments of commands: signed, small, and nothing to those who know of none."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.commands.arguments import canonical_arguments, parse_arguments
from spektron_edge.commands.asked import CommandOutcome, without_arguments
from spektron_edge.config.commands import Operator
from spektron_edge.faults import Fault
from spektron_edge.mqtt.commands import CommandRefused, Key, authorise, parse, sign, to_payload

ROOT = "spektron/plant/nir"
SECRET = b"0123456789abcdef"
KEY = Key("anna", SECRET)


@pytest.fixture
def accept(tmp_path):
    (tmp_path / "anna").write_bytes(SECRET)
    operators = (Operator(name="anna", key_file=tmp_path / "anna", may=("transfer-add",)),)

    def make(payload):
        request = parse(payload)
        authorise(request, "transfer-add", ROOT, operators, lambda _o, _c: True)
        return request

    return make


def signed(arguments, correlation="c"):
    return to_payload(sign(KEY, ROOT, "transfer-add", 1, correlation, arguments))


def test_arguments_arrive_as_they_were_signed(accept):
    given = {"sample": "17", "new": False, "scans": 3, "level": 0.5, "labels": ("oil=3.1",)}
    assert accept(signed(given)).arguments == given


def test_a_request_without_arguments_is_byte_for_byte_what_it_was():
    text = "\n".join((ROOT, "health", "anna", "7", "c"))
    mac = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
    request = sign(KEY, ROOT, "health", 7, "c")
    assert request.mac == mac
    expected = {"operator": "anna", "counter": 7, "correlation": "c", "mac": mac}
    assert json.loads(to_payload(request)) == expected


def test_ten_lines_of_code_without_this_package_can_sign_arguments(accept):
    arguments = {"sample": "17", "labels": ["moisture=10.2"], "new": True}
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    message = f"arguments {digest}\n" + "\n".join((ROOT, "transfer-add", "anna", "1", "c"))
    mac = hmac.new(SECRET, message.encode(), hashlib.sha256).hexdigest()
    payload = {"operator": "anna", "counter": 1, "correlation": "c", "mac": mac}
    accept(json.dumps({**payload, "arguments": arguments}).encode())


@pytest.mark.parametrize(
    "changed",
    [{"sample": "18"}, {}, {"sample": "17", "new": True}, {"sample": 17}],
    ids=["other", "none", "more", "another kind"],
)
def test_no_argument_can_be_changed_taken_away_or_added(accept, changed):
    request = json.loads(signed({"sample": "17"}))
    request["arguments"] = changed
    with pytest.raises(CommandRefused, match="operator or signature refused"):
        accept(json.dumps(request).encode())


def test_a_correlation_cannot_pass_for_arguments(accept):
    arguments = {"sample": "17"}
    digest = hashlib.sha256(canonical_arguments(arguments)).hexdigest()
    request = json.loads(signed({}, correlation=f"c\narguments {digest}"))
    request |= {"arguments": arguments, "correlation": "c"}
    with pytest.raises(CommandRefused, match="operator or signature refused"):
        accept(json.dumps(request).encode())


@pytest.mark.parametrize(
    "arguments",
    [
        {"Sample": "17"},
        {"": 1},
        {"a b": 1},
        {"nested": {"a": 1}},
        {"list": [1, 2]},
        {"list": [["a"]]},
        {"huge": 2**60},
        {"none": None},
        {"text": "x" * 257},
        {"list": ["x" * 100] * 200},
        {"list": ["x"] * 257},
        {f"a{'b' * i}": 1 for i in range(17)},
        [],
    ],
    ids=str,
)
def test_arguments_outside_the_schema_are_refused(arguments):
    payload = {"operator": "anna", "counter": 1, "mac": "0" * 64, "arguments": arguments}
    with pytest.raises(CommandRefused, match="not a signed request"):
        parse(json.dumps(payload).encode())


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z_]{0,31}", fullmatch=True),
        st.one_of(
            st.booleans(),
            st.integers(-(2**53), 2**53),
            st.floats(-(2.0**53), 2.0**53),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
            st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=9).map(
                tuple
            ),
        ),
        max_size=16,
    )
)
def test_whatever_may_be_signed_reads_as_the_same(arguments):
    request = sign(KEY, ROOT, "transfer-add", 1, "c", arguments)
    again = parse(to_payload(request))
    assert again == request
    assert canonical_arguments(again.arguments) == canonical_arguments(arguments)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("a=17", 17),
        ("a=007", "007"),
        ("a=1.5", 1.5),
        ("a=1.50", "1.50"),
        ("a=true", True),
        ("a=x=y", "x=y"),
        ("a=3,17", ("3", "17")),
        ("a=3,", ("3",)),
        ("a=", ""),
        ("a=nan", None),
    ],
)
def test_arguments_as_they_are_written_on_a_command_line(word, value):
    if value is None:
        with pytest.raises(ValueError, match="argument a"):
            parse_arguments([word])
    else:
        assert parse_arguments([word]) == {"a": value}


@pytest.mark.parametrize("word", ["a", "A=1", "=1"])
def test_a_word_that_is_no_argument_is_named(word):
    with pytest.raises(ValueError, match=r"form name=value|argument"):
        parse_arguments([word])


def test_a_command_that_takes_none_refuses_arguments():
    action = without_arguments(lambda: CommandOutcome(True, "fine"))
    assert action(sign(KEY, ROOT, "health", 1)).ok
    with pytest.raises(Fault, match="takes no arguments, not sample"):
        action(sign(KEY, ROOT, "health", 1, "", {"sample": "1"}))
