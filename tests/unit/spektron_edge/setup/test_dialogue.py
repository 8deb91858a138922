"""Whatever is typed, each answer that is taken is sound, and nothing else comes of it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import write_durably
from spektron_edge.setup import place, questions, writing
from spektron_edge.setup.asking import Doubt, Question, Trial
from spektron_edge.setup.dialogue import Terminal, asked, confirmed
from spektron_edge.setup.document import drafted
from spektron_edge.setup.given import collected, read_answers
from spektron_edge.setup.prober import Prober
from spektron_edge.setup.writing import write

ANSWERS = {
    "site": "lab",
    "instrument": "m5",
    "port": "/dev/ttyABSENT",
    "driver": "spektron",
    "broker": "mqtt://127.0.0.1:1",
}
TYPED = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "yes",
            "no",
            "none",
            "1",
            "-1",
            "1e400",
            "nan",
            "mqtts://h",
            "a" * 5000,
            "../x",
            "~",
            "~nobody-here",
            "a" * 4000,
        ]
    ),
    st.sampled_from(list(ANSWERS.values())),
)


@pytest.fixture
def steps(tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "serial_ports", list)
    # No port is asked, and no broker.
    monkeypatch.setattr(Prober, "at", lambda *_: None)
    made = questions.steps(tmp_path / "edge.toml", None, Prober(lambda _: None), look=False)
    return [step for step in made if isinstance(step, Question)]


def typing(lines):
    """A terminal at which these are typed, and then nothing any more."""
    left = iter(lines)

    def ask(_prompt):
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    said = []
    return Terminal(ask, ask, said.append), said


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(TYPED, max_size=60))
def test_hostile_lines(lines, tmp_path_factory):
    path = tmp_path_factory.mktemp("setup") / "edge.toml"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(questions, "serial_ports", list)
        patched.setattr(Prober, "at", lambda *_: None)
        made = questions.steps(path, None, Prober(lambda _: None), look=False)
        asking = [step for step in made if isinstance(step, Question)]
        try:
            answers = asked(asking, {}, typing(lines)[0])
            draft = drafted(path, "", None, answers)
        except (EOFError, Fault):
            assert not path.exists()
            return
    assert draft.config.site == answers["site"]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from([*ANSWERS, "password", "page", "max_mb", "bundle"]), TYPED))
def test_hostile_answers_without_a_dialogue(given_answers):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(questions, "serial_ports", list)
        patched.setattr(Prober, "at", lambda *_: None)
        made = questions.steps(Path("edge.toml"), None, Prober(lambda _: None), look=False)
        with contextlib.suppress(Fault):
            assert collected(made, given_answers)


def test_what_fails_together_is_asked_for_again_or_taken_all_the_same():
    tries = []

    def run(answers):
        tries.append(dict(answers))
        if answers["b"] != "right":
            raise Doubt("it does not answer")
        return "it answers"

    def question(key):
        return Question(key, key, "why", lambda _: None, lambda text, _: text)

    steps = [question("a"), question("b"), Trial(run, "b"), question("c")]
    lines = ["1", "wrong", "", "right", "3"]
    assert asked(steps, {}, typing(lines)[0]) == {"a": "1", "b": "right", "c": "3"}
    assert len(tries) == 2
    lines = ["1", "wrong", "yes", "3"]
    assert asked(steps, {}, typing(lines)[0])["b"] == "wrong"


def test_what_is_given_is_not_asked_for_unless_it_is_refused(steps):
    terminal, said = typing(["m5", "", "mqtt://h", *[""] * 9])
    given_answers = {"site": "lab", "port": "socket://h:1", "driver": "spektron", "bundle": "none"}
    with pytest.raises(EOFError):
        asked(steps, {**given_answers, "instrument": "m 5"}, typing([])[0])
    answers = asked(steps, {**given_answers, "instrument": "m 5"}, terminal)
    assert (answers["site"], answers["instrument"], answers["bundle"]) == ("lab", "m5", "")
    assert "letters, digits" in said[0]


def test_yes_no_and_what_is_neither():
    terminal, said = typing(["maybe", "\x00", "N"])
    assert not confirmed("Write?", terminal)
    assert said == ["  yes or no"] * 2
    assert confirmed("Write?", typing([""])[0])


def test_answers_in_a_file_may_be_numbers_and_lists(steps, tmp_path):
    file = tmp_path / "answers.toml"
    file.write_text('site = "lab"\nmax_mb = 12.5\npage = true\npage_names = ["a", "b"]\n')
    answers = {"site": "lab", "max_mb": "12.5", "page": "yes", "page_names": "a, b"}
    assert read_answers(file, steps) == (answers, [])
    for text in ("site =", "\xff"):
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(Fault) as caught:
            read_answers(file, steps)
        assert caught.value.kind is Faults.SETUP_REFUSED


def test_unknown_keys_are_told_with_what_else_is_wrong(steps, tmp_path):
    file = tmp_path / "answers.toml"
    file.write_text('sight = "x"\ninstrument = {a = 1}\nmax_mb = "many"\n')
    given, wrong = read_answers(file, steps)
    with pytest.raises(Fault) as caught:
        collected(steps, {**ANSWERS, **given}, wrong)
    assert caught.value.kind is Faults.SETUP_REFUSED
    for told in ("unknown key sight (did you mean 'site'?)", "instrument: text", "max_mb: Input"):
        assert told in caught.value.detail


def test_answers_that_nobody_asks_for_are_told(steps):
    with pytest.raises(Fault, match="ca_file is not asked for"):
        collected(steps, {**ANSWERS, "ca_file": "x"})


def test_other_makers_instruments_are_asked_for_what_they_lack(steps):
    with pytest.raises(Fault, match="wavelength_nm is missing") as caught:
        collected(steps, {**ANSWERS, "driver": "tcd1304"})
    assert "serial_number is missing" in caught.value.detail
    more = {"driver": "tcd1304", "wavelength_nm": "300, 0.2, 0.00001", "serial_number": "A1"}
    assert collected(steps, {**ANSWERS, **more})["wavelength_nm"] == "300, 0.2, 0.00001"
    with pytest.raises(Fault, match=r"model is missing\. One of"):
        collected(steps, {**ANSWERS, **more, "driver": "ocean-sad500"})
    with pytest.raises(Fault, match="numbers with commas"):
        collected(steps, {**ANSWERS, **more, "wavelength_nm": "a, b"})


def test_what_cannot_be_written_leaves_everything_as_it_was(steps, tmp_path, monkeypatch):
    path, password = tmp_path / "edge.toml", tmp_path / "mqtt.password"
    secret = {"username": "m5", "password": "old"}
    write(drafted(path, "", None, collected(steps, {**ANSWERS, **secret})))
    before = path.read_text()
    config = load_config(path)
    answers = collected(steps, {**ANSWERS, **secret, "password": "new", "site": "plant"})
    draft = drafted(path, before, config, answers)
    (tmp_path / "edge.toml.partial").mkdir()
    with pytest.raises(Fault) as caught:
        write(draft)
    assert caught.value.kind is Faults.STATE_UNWRITABLE
    assert (path.read_text(), password.read_text()) == (before, "old\n")
    (tmp_path / "edge.toml.partial").rmdir()
    assert write(draft) == [password, path]
    assert password.read_text() == "new\n"


def test_ctrl_c_waits_until_all_is_written(steps, tmp_path, monkeypatch):
    def interrupted(*given):
        signal.raise_signal(signal.SIGINT)
        write_durably(*given)

    monkeypatch.setattr(writing, "write_durably", interrupted)
    path, secret = tmp_path / "edge.toml", {"username": "m5", "password": "x"}
    with pytest.raises(KeyboardInterrupt):
        write(drafted(path, "", None, collected(steps, {**ANSWERS, **secret})))
    assert load_config(path).mqtt.password_file.read_text() == "x\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_where_the_package_is_secrets_are_the_services_own(steps, tmp_path, monkeypatch):
    path = tmp_path / "edge.toml"
    monkeypatch.setattr(place, "PACKAGED", path)
    monkeypatch.setattr(place, "SERVICE_USER", "nobody")
    more = {"username": "m5", "password": "x", "page": "yes", "page_names": "dryer.local"}
    more["state_dir"] = "results"
    write(drafted(path, "", None, collected(steps, {**ANSWERS, **more})))
    for name in ("mqtt.password", "page.key", "results"):
        assert (tmp_path / name).stat().st_uid == 65534
    assert path.stat().st_uid == 0
    assert path.stat().st_mode & 0o777 == 0o640
