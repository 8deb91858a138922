"""State folders of earlier versions, as they left them: opened, migrated, and gone back from.

`tests/golden/state`, each by the schema of its outbox: `1-first` of the first daemon, before
records had their size; `1-sizes`; `1-slots`, with a bundle in a slot; `2-lanes`, the first of
schema 2; `2-instruments`, with the instrument's axis and the ledger of retained topics.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import verify
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE, open_state
from spektron_edge.instrument.reference_store import load_references
from spektron_edge.mqtt.retained import RETAINED_FILE, RetainedLedger
from spektron_edge.outbox import Limits
from spektron_edge.outbox.schema import SCHEMA_VERSION
from spektron_edge.support.state_report import inspect_state

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "state"
LIMITS = Limits(10**9, 10**9)
NAMES = sorted(path.name for path in GOLDEN.iterdir())


@pytest.fixture(params=NAMES)
def earlier(request, tmp_path):
    """A copy of one of them."""
    return shutil.copytree(GOLDEN / request.param, tmp_path / request.param)


def rows(path: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        sql = "SELECT position, id, kind, payload, state, reason FROM record ORDER BY position"
        return db.execute(sql).fetchall()


def schema(path: Path) -> int:
    # As it stands in the file's header: SQLite would leave files beside it.
    return int.from_bytes(path.read_bytes()[60:64], "big")


def test_there_is_one_of_every_schema():
    assert {schema(GOLDEN / name / OUTBOX_FILE) for name in NAMES} == set(
        range(1, SCHEMA_VERSION + 1)
    )


def test_it_is_opened_and_nothing_is_lost(earlier):
    before, lines = rows(earlier / OUTBOX_FILE), verify(earlier / AUDIT_FILE).lines
    assert before
    assert lines > 1
    state = open_state(earlier, LIMITS)
    assert state.damage == []
    assert state.audit.lines == lines
    unsent = [row[1] for row in before if row[4] == 0]
    assert [record.id for record in state.outbox.unsent(1000)] == unsent
    state.close()
    assert rows(earlier / OUTBOX_FILE) == before
    assert schema(earlier / OUTBOX_FILE) == SCHEMA_VERSION
    inspect_state(earlier)


def test_what_lies_beside_the_outbox_is_understood(earlier):
    if (earlier / "references.npz").exists():
        assert load_references(earlier) is not None
    if (earlier / "bundles").exists():
        slots = SlotStore(earlier).read()
        assert slots.current is not None
        assert slots.current.name == "corn"
    if (earlier / RETAINED_FILE).exists():
        ledger = RetainedLedger(earlier / RETAINED_FILE)
        assert ledger.load() is None
        assert ledger.entries()


def test_what_the_migration_began_with_is_kept_for_who_goes_back(earlier):
    before, was = rows(earlier / OUTBOX_FILE), schema(earlier / OUTBOX_FILE)
    open_state(earlier, LIMITS).close()
    kept = earlier / f"before-migration-{was}.sqlite"
    assert kept.exists() == (earlier.name != "2-instruments")
    if kept.exists():
        assert rows(kept) == before
        assert schema(kept) == was
        # What docs/upgrading.md says, and the newer version again after it.
        shutil.copyfile(kept, earlier / OUTBOX_FILE)
        state = open_state(earlier, LIMITS)
        assert state.damage == []
        state.close()
        assert rows(earlier / OUTBOX_FILE) == before


def test_an_older_program_says_so_and_leaves_it_alone(tmp_path):
    open_state(tmp_path, LIMITS).close()
    path = tmp_path / OUTBOX_FILE
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(Fault) as caught:
        open_state(tmp_path, LIMITS)
    assert caught.value.kind is Faults.STATE_UNWRITABLE
    assert f"before-migration-{SCHEMA_VERSION}.sqlite" in caught.value.detail
    assert path.read_bytes() == before
