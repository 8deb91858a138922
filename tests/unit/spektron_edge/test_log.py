from __future__ import annotations

import io
import json
import logging
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge import log
from spektron_edge.faults import Fault, Faults


@pytest.fixture(autouse=True)
def _put_back():
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before[0], before[1], before[2]


def lines(form, action, level="debug"):
    stream = io.StringIO()
    log.set_up(form, level, stream)
    action()
    return stream.getvalue().splitlines()


def test_a_text_line_is_time_level_event_and_fields():
    (line,) = lines("text", lambda: log.info("connected", url="mqtt://h", n=3))
    time, level, event, *fields = line.split()
    assert time.endswith("+00:00")
    assert (level, event, fields) == ("info", "connected", ["url=mqtt://h", "n=3"])


def test_a_json_line_is_an_object():
    (line,) = lines("json", lambda: log.warn("odd", why=ValueError("x"), n=3))
    document = json.loads(line)
    assert document.pop("time")
    assert document == {"level": "warning", "event": "odd", "why": "x", "n": 3}


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_fault_says_the_next_step(form):
    fault = Fault(Faults.PORT_BUSY, "somebody has it")
    (line,) = lines(form, lambda: log.fault(fault))
    assert "port_busy" in line
    assert fault.next_step in line
    assert "error" in line


def test_what_is_below_the_level_is_not_written():
    assert lines("text", lambda: log.info("quiet"), level="warning") == []


def test_setting_up_again_replaces_the_stream():
    first, second = io.StringIO(), io.StringIO()
    log.set_up("text", "info", first)
    log.set_up("text", "info", second)
    log.info("event")
    assert first.getvalue() == ""
    assert second.getvalue().count("event") == 1


@given(value=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_a_value_holds_a_text_line_stays_one_printable_line(value):
    stream = io.StringIO()
    log.set_up("text", "info", stream)
    log.info("event", field=value, last=1)
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()
    text = written.split(" event ", 1)[1]
    shown = text[len("field=") : text.rindex(" last=1")]
    assert (json.loads(shown) if shown.startswith('"') else shown) == value


def test_plain_values_are_not_quoted():
    (line,) = lines("text", lambda: log.info("e", path="/dev/ttyUSB0", empty="", name="Größe"))
    assert shlex.split(line)[-3:] == ["path=/dev/ttyUSB0", "empty=", "name=Größe"]
    assert 'empty=""' in line
