"""Reports: sealed, verified, signed by more people, and never changed unseen."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.device_signature import device_signer
from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.page.users import UserStore
from spektron_edge.qualification.bench import Axis, Known
from spektron_edge.qualification.book import BookStore
from spektron_edge.qualification.conduct import Conduct, Person
from spektron_edge.qualification.keeping import folder_of, sign, signature
from spektron_edge.qualification.plan import read_plan
from spektron_edge.qualification.references import read_references
from spektron_edge.qualification.report import DATA, REPORT
from spektron_edge.qualification.seal import seal, verified
from spektron_edge.support.state_report import inspect_state

from .made import AXIS, CALIBRATION, CONFIG, Somebody, measured

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "qualification"
PLAN = """
title = "<plan>"
version = "1"
[expected]
"serial number" = "VIRT-0001"
"colour" = "grey"
[[noise]]
name = "white & bright"
scans = 4
mean = 0.001
"""


class Seeing:
    """A bench without a daemon."""

    def __init__(self, *seen):
        self.seen = list(seen)

    def look(self):
        model = {
            "bundle": CALIBRATION.bundle,
            "product": CALIBRATION.product,
            "transfer": None,
            "adaptation": None,
        }
        device = {"serial": "VIRT-0001", "firmware": "1", "pixels": 700, "capabilities": ["lamp"]}
        hello, state = {"version": "0"}, {"device": device}
        return Known(hello, {"model": model}, state, Axis("a", AXIS), None, ("clock_suspect",))

    def measure(self, scans, progress):
        progress(scans)
        return self.seen.pop(0)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "spektron.toml"
    path.write_text(CONFIG)
    (tmp_path / "plan.toml").write_text(PLAN)
    return path


@pytest.fixture
def plan(tmp_path, config):
    return read_plan(tmp_path / "plan.toml")


def conduct(config, *seen):
    person = Person("anna", "logged in as anna", "<why>")
    return Conduct(load_config(config), config, person, Seeing(*seen))


@pytest.fixture
def done(config, plan):
    return conduct(config, measured(scans=4)).operation(plan, Somebody())


def test_a_report_says_what_was_found_and_who_stands_for_it(done, config):
    sealed = verified(done.folder, None)
    assert sealed == done.sealed
    report = sealed.report
    assert (report.kind, report.number, report.serial) == ("oq", 1, "VIRT-0001")
    assert report.calibration == CALIBRATION
    assert report.plan.title == "<plan>"
    assert report.verdict == "incomplete"
    (signed,) = sealed.signatures
    assert (signed.by, signed.meaning, signed.reason) == ("anna", "responsible", "<why>")
    page = (done.page).read_text()
    assert "&lt;plan&gt;" in page
    assert "<plan>" not in page
    assert "white &amp; bright" in page
    assert "default-src 'none'" in page
    assert sealed.sha256 in page
    assert page.count("<svg") == 1
    for word in ("http://", "https://", "<script", "src="):
        assert word not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_raw_data_is_kept_as_it_was(done):
    with zipfile.ZipFile(done.folder / DATA) as archive:
        about = json.loads(archive.read("01/about.json"))
        absorbance = np.load(io.BytesIO(archive.read("01/absorbance.npy")), allow_pickle=False)
    assert about["key"] == "noise white & bright"
    assert about["records"] == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(absorbance, measured(scans=4).absorbance)


def test_the_book_and_the_audit_log_know(done, config):
    store = BookStore(load_config(config).state_dir)
    book = store.read()
    assert [(r.number, r.verdict, r.report) for r in book.runs] == [
        (1, "incomplete", done.sealed.sha256)
    ]
    assert [a.what for a in book.untold] == ["qualification_begun", "qualification_done"]
    assert book.untold[1].details["report"] == done.sealed.sha256
    assert book.untold[1].details["meaning"] == "responsible: <why>"


def changed(path, **fields):
    document = json.loads(path.read_bytes())
    document["report"] |= fields
    path.write_bytes(canonical(document))


@pytest.mark.parametrize("what", ["verdict", "page", "data", "signer", "gone", "form", "other"])
def test_what_was_changed_does_not_verify(done, config, tmp_path, capsys, what):
    report, key = done.folder / REPORT, None
    if what == "verdict":
        changed(report, verdict="pass")
    elif what == "page":
        page = done.page
        page.write_text(page.read_text().replace("Incomplete", "Passed"))
    elif what == "data":
        (done.folder / DATA).write_bytes(b"PK")
    elif what == "gone":
        (done.folder / DATA).unlink()
    elif what == "form":
        report.write_bytes(json.dumps(json.loads(report.read_bytes())).encode())
    elif what == "signer":
        # Signed anew, and soundly, by another device.
        other = device_signer(tmp_path / "other")
        document = json.loads(report.read_bytes())
        document["device"]["public"], document["device"]["key_id"] = (
            other.public.hex(),
            other.key_id,
        )
        report.write_bytes(canonical(document))
    else:
        key = device_signer(tmp_path / "other").public
    with pytest.raises(Fault) as caught:
        verified(report, key)
    assert caught.value.kind is Faults.QUALIFICATION_BROKEN
    if key is None:
        assert main(["qualify", "verify", str(done.folder)]) == 67
        assert "qualification_broken" in capsys.readouterr().err


def test_one_bit_anywhere_breaks_a_report(done, config):
    key = device_signer(load_config(config).state_dir).public
    for name in (REPORT, done.page.name, DATA):
        path = done.folder / name
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 60)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(Fault) as caught:
                verified(done.folder, key)
            assert caught.value.kind is Faults.QUALIFICATION_BROKEN, (name, at)
        path.write_bytes(whole)
    assert verified(done.folder, key) == done.sealed


def test_another_signature_and_a_replaced_key_do_not_hold(done, config, tmp_path):
    path = done.folder / REPORT
    document, mine = json.loads(path.read_bytes()), device_signer(load_config(config).state_dir)
    # The signature of another report of the same device.
    (tmp_path / "b").mkdir()
    other = device_signer(tmp_path / "b")
    stolen = {**document["device"], "signature": "0" * 128}
    path.write_bytes(canonical({**document, "device": stolen}))
    with pytest.raises(Fault, match="does not hold"):
        verified(done.folder, None)
    # Signed anew as a whole, soundly, with another key: only who knows the device's key sees it.
    forged = seal(
        {**document["report"], "verdict": "pass"},
        done.sealed.signatures,
        done.page.read_bytes(),
        other,
    )
    path.write_bytes(forged.bytes)
    assert verified(done.folder, None).report.verdict == "pass"
    with pytest.raises(Fault, match="not by the device"):
        verified(done.folder, mine.public)
    assert main(["qualify", "show", "1", "--config", str(config)]) == 67
    assert main(["qualify", "verify", str(done.folder), "--config", str(config)]) == 67


def test_a_report_in_anothers_place_is_seen(config, plan, capsys):
    first = conduct(config, measured(scans=4)).operation(plan, Somebody())
    second = conduct(config, measured(scans=4)).operation(plan, Somebody())
    for path in second.folder.iterdir():
        (first.folder / path.name).write_bytes(path.read_bytes())
    assert main(["qualify", "show", "1", "--config", str(config)]) == 67
    assert "not the one that was kept as 1" in capsys.readouterr().err
    with pytest.raises(Fault, match="not the one"):
        sign(load_config(config).state_dir, 1, signature("bert", "approved", "x", "here"))
    assert main(["qualify", "show", "2", "--config", str(config)]) == 57


def test_raw_data_beside_a_report_that_has_none(config, plan):
    class Away(Somebody):
        def place(self, step, number, of):
            return "skip"

    done = conduct(config).operation(plan, Away())
    assert done.sealed.report.data is None
    (done.folder / DATA).write_bytes(b"PK")
    with pytest.raises(Fault, match="of something else"):
        verified(done.folder, None)


def test_samples_that_the_transfer_was_made_of_show_nothing(config, tmp_path, monkeypatch):
    from types import SimpleNamespace

    from spektron_edge.qualification import conduct as module

    header = SimpleNamespace(samples=("s0", "s2"), properties=())
    versions = SimpleNamespace(held=(SimpleNamespace(id="abc", header=header),))
    store = SimpleNamespace(read=lambda: versions)
    monkeypatch.setattr(module, "StateStore", lambda _: store)

    class Transferred(Seeing):
        def look(self):
            known = super().look()
            known.model["model"]["transfer"] = {"id": "abc"}
            return known

    asked = []

    class Hand(Somebody):
        def place(self, step, number, of):
            asked.append(step.key)
            return "measure"

    (tmp_path / "lab.csv").write_text(
        "sample,moisture [% by mass]\n" + "\n".join(f"s{i},{10 + i}" for i in range(5))
    )
    (tmp_path / "p.toml").write_text('title = "p"\nversion = "1"\ncompare_least = 3\n')
    changed_ = CALIBRATION.model_copy(update={"transfer": "abc"})
    seen = [measured(moisture=10.0 + i, calibration=changed_) for i in (1, 3, 4)]
    person = Person("anna", "here", "x")
    made = Conduct(load_config(config), config, person, Transferred(*seen))
    references = read_references(tmp_path / "lab.csv")
    done = made.comparison(read_plan(tmp_path / "p.toml"), references, Hand())
    assert asked == ["sample s1", "sample s3", "sample s4"]
    items = {i.what: i for i in done.sealed.report.items}
    assert items["sample s0"].told.startswith("transfer abc was made of it")
    assert items["bias"].told.startswith("n 3")
    assert done.sealed.report.verdict != "pass"


def test_a_report_of_another_version(done, config):
    """Its signature holds over what it says, whatever this version knows of it."""
    document = json.loads((done.folder / REPORT).read_bytes())["report"]
    page, signer = done.page.read_bytes(), device_signer(load_config(config).state_dir)
    older = {**document, "items": [{"part": "a", "what": "b", "verdict": "pass"}]}
    sealed = seal(older, done.sealed.signatures, page, signer)
    (done.folder / REPORT).write_bytes(sealed.bytes)
    book = load_config(config).state_dir / "qualification" / "book.json"
    book.write_text(book.read_text().replace(done.sealed.sha256, sealed.sha256))
    found = verified(done.folder, signer.public)
    assert found.report.items[0].told == ""
    # Signing does not add what it lacks: the hash that was signed before stays the same.
    again = sign(load_config(config).state_dir, 1, signature("bert", "reviewed", "x", "here"))
    assert again.sealed.sha256 == found.sha256
    newer = canonical({**json.loads(sealed.bytes), "report": {**document, "mood": "good"}})
    unsigned = {k: v for k, v in json.loads(newer).items() if k != "device"}
    signed = signer.sign(b"spektron-qualification-v1\n", canonical(unsigned)).hex()
    device = {**json.loads(sealed.bytes)["device"], "signature": signed}
    (done.folder / REPORT).write_bytes(canonical({**unsigned, "device": device}))
    with pytest.raises(Fault, match="another version") as caught:
        verified(done.folder, signer.public)
    assert caught.value.kind is Faults.COMMAND_INPUT


def test_a_report_that_was_kept_verifies_for_ever(capsys):
    """Made by the first version that has reports."""
    assert main(["qualify", "verify", str(GOLDEN), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "incomplete"
    assert told["report"] == (GOLDEN / "sha256").read_text().strip()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_report(tmp_path, content):
    (tmp_path / REPORT).write_bytes(content)
    with pytest.raises(Fault) as caught:
        verified(tmp_path, None)
    assert caught.value.kind is Faults.QUALIFICATION_BROKEN
    with pytest.raises(Fault) as caught:
        verified(tmp_path / "absent" / REPORT, None)
    assert caught.value.kind is Faults.COMMAND_INPUT


def test_a_second_person_signs(done, config, capsys):
    state_dir = load_config(config).state_dir
    twice = sign(state_dir, 1, signature("bert", "reviewed", "read it", "here"))
    assert [s.by for s in verified(done.folder, None).signatures] == ["anna", "bert"]
    assert twice.sealed.report == done.sealed.report
    assert "read it" in twice.page.read_text()
    assert len(list(done.folder.glob("*.html"))) == 1
    with pytest.raises(Fault, match="already"):
        sign(state_dir, 1, signature("BERT", "reviewed", "again", "here"))
    with pytest.raises(Fault, match="no report 9"):
        sign(state_dir, 9, signature("bert", "reviewed", "x", "here"))
    changed(done.folder / REPORT, verdict="pass")
    # Nobody signs what was changed.
    with pytest.raises(Fault, match="does not hold"):
        sign(state_dir, 1, signature("carl", "approved", "x", "here"))
    assert main(["qualify", "show", "1", "--config", str(config)]) == 67
    assert BookStore(state_dir).read().untold[-1].what == "qualification_signed"


def test_who_has_an_account_gives_its_password(done, config, capsys, monkeypatch):
    from spektron_edge.page.passwords import hashed

    state_dir = load_config(config).state_dir
    UserStore(state_dir).add("Bert", "engineer", hashed("beam splitter 42"))
    words = ["qualify", "sign", "1", "--by", "bert", "--reason", "ok", "--meaning", "approved"]
    monkeypatch.setattr("sys.stdin", io.StringIO("beam splitter 41\n"))
    assert main([*words, "--config", str(config)]) == Faults.PAGE_ACCOUNT.value.exit_status
    monkeypatch.setattr("sys.stdin", io.StringIO("beam splitter 42\n"))
    assert main([*words, "--config", str(config)]) == 0
    UserStore(state_dir).add("carl", "operator", hashed("beam splitter 43"))
    words[4] = "carl"
    assert main([*words, "--config", str(config)]) == Faults.PAGE_ACCOUNT.value.exit_status
    assert "may not sign as approved" in capsys.readouterr().err
    untold = BookStore(state_dir).read().untold
    assert [a.who for a in untold if a.what == "qualification_refused"] == ["bert", "carl"]
    proven = [s.proven for s in verified(done.folder, None).signatures]
    assert proven[-1] == "the password of the account Bert (engineer)"
    capsys.readouterr()


def test_installation(config, plan):
    done = conduct(config).installation(plan)
    items = {i.what: i for i in done.sealed.report.items}
    assert items["serial number"].verdict == "pass"
    assert items["colour"].verdict == "not done"
    assert items["faults"].verdict == "fail"
    assert items["running daemon"].verdict == "fail"
    assert items["used by the daemon"].verdict == "fail"
    assert items["chain"].verdict == "not done"
    assert items["bundle"].value.startswith("corn")
    assert items["self-test"].verdict == "pass"
    assert items["numpy, files"].verdict == "pass"
    assert items["state folder, write"].verdict == "pass"
    assert len(items["sha-256"].value) == 64
    state_dir = load_config(config).state_dir
    (state_dir / "audit.jsonl").write_text("{}\n")
    state_dir.chmod(0o777)
    (state_dir / "device-key.pem").chmod(0o644)
    items = {i.what: i for i in conduct(config).installation(plan).sealed.report.items}
    for what in ("chain", "state folder, write", "files of keys, read"):
        assert items[what].verdict == "fail"


@pytest.mark.parametrize(("known", "verdict"), [(True, "pass"), (False, "fail"), (None, "fail")])
def test_a_clock_that_nobody_sets(config, tmp_path, monkeypatch, known, verdict):
    from spektron_edge.qualification import conduct as module

    monkeypatch.setattr(module, "kernel_synchronised", lambda: known)
    asked = PLAN.replace("[expected]\n", '[expected]\nsynchronised = "yes"\n')
    for text, wanted in ((PLAN, "no limit"), (asked, verdict)):
        (tmp_path / "p.toml").write_text(text)
        given = read_plan(tmp_path / "p.toml")
        done = conduct(config, measured(scans=4)).operation(given, Somebody())
        items = {i.what: i.verdict for i in done.sealed.report.items}
        assert items["synchronised"] == wanted


def test_another_calibration_meanwhile_fails(config, plan):
    other = CALIBRATION.model_copy(update={"transfer": "abc"})
    done = conduct(config, measured(scans=4, calibration=other)).operation(plan, Somebody())
    assert done.sealed.report.verdict == "fail"
    assert "transfer abc" in next(
        i.value for i in done.sealed.report.items if i.part == "conditions"
    )


def test_the_stated_error_is_the_bundles(config, tmp_path):
    (tmp_path / "lab.csv").write_text(
        "sample,moisture [% by mass]\n" + "\n".join(f"s{i},{10 + i}" for i in range(4))
    )
    seen = [measured(moisture=10.0 + i) for i in range(4)]
    (tmp_path / "p.toml").write_text('title = "p"\nversion = "1"\ncompare_least = 4\n')
    given = read_plan(tmp_path / "p.toml")
    done = conduct(config, *seen).comparison(
        given, read_references(tmp_path / "lab.csv"), Somebody()
    )
    sep = next(i for i in done.sealed.report.items if i.what == "SEP")
    assert "the bundle states" in sep.told
    assert sep.verdict == "pass"


def test_a_run_that_was_killed_leaves_its_number(config, plan, capsys):
    class Killed(Somebody):
        def place(self, step, number, of):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        conduct(config).operation(plan, Killed())
    assert main(["qualify", "show", "--config", str(config)]) == 0
    assert "broken off; it has no report" in capsys.readouterr().out
    assert conduct(config, measured()).operation(plan, Somebody()).sealed.report.number == 2
    with pytest.raises(Fault, match="no report 1"):
        folder_of(load_config(config).state_dir, 1)


def test_no_instrument_no_operation(config, plan):
    class Away(Seeing):
        def look(self):
            return replace(super().look(), state={"device": None})

    person = Person("anna", "here", "x")
    with pytest.raises(Fault, match="no instrument"):
        Conduct(load_config(config), config, person, Away()).operation(plan, Somebody())
    assert not BookStore(load_config(config).state_dir).read().runs


def test_inspect_names_them(done, config):
    state_dir = load_config(config).state_dir
    (state_dir / "audit.jsonl").write_text("")
    found = inspect_state(state_dir)["qualifications"]
    assert found == {"0001-oq": "operation: incomplete, report " + done.sealed.sha256[:12]}


def test_the_command_line_says_what_is_wrong(config, tmp_path, capsys):
    words = ["--by", "anna", "--reason", "x", "--config", str(config)]
    assert main(["qualify", "oq", *words]) == Faults.COMMAND_INPUT.value.exit_status
    assert "qualify plan" in capsys.readouterr().err
    absent = ["qualify", "pq", "--references", str(tmp_path / "absent.csv"), *words]
    assert main(absent) == Faults.COMMAND_INPUT.value.exit_status
    assert main(["qualify", "show", "--config", str(config)]) == 0
    assert "none" in capsys.readouterr().out
    assert main(["qualify", "plan"]) == 0
    (tmp_path / "printed.toml").write_text(capsys.readouterr().out)
    assert read_plan(tmp_path / "printed.toml").plan.title
    bad = ["qualify", "verify", str(Path("x")), "--key", "xyz"]
    assert main(bad) == Faults.COMMAND_INPUT.value.exit_status
