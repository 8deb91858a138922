"""Power cuts in a transfer session: `python -m tests.session_cuts FOLDER [--lose] [--most N]`.

As `tests.power_cuts`: start, three samples, one of them again, fit and conclusion; every fsync and
every rename is a place to die. Afterwards the engineer goes on with what is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer_session import Session
from spektron_edge.transfer_session.fit_result import FILE, FitResult
from spektron_edge.transfer_session.session_store import SessionStore
from spektron_edge.transfer_session.worker import work
from spektron_edge.transfer_state import StateStore
from tests.corn_bench import SERIAL, Cups, configure
from tests.power_cuts import cut_at_each_step

SAMPLES = ("75", "55", "5")


def go_on(config: Path, *, worker: bool) -> None:
    """Do all that has not been done yet, as an engineer would who looks at the status first."""
    session, cups = Session(config, "local:test"), Cups()
    store = session.store
    if StateStore(load_config(config).state_dir).read().active(SERIAL) is not None:
        if store.read().open is not None:
            session.finish()
        return
    if store.read().open is None:
        session.start(SERIAL)
    done = [added.sample for added in store.read().work.current]
    for sample in SAMPLES:
        if sample not in done:
            session.add(sample, cups.scans(sample))
    if not any(added.replaced for added in store.read().work.added):
        session.add(SAMPLES[-1], cups.scans(SAMPLES[-1]))
    if worker:
        open_work = store.read().work
        work(config, open_work.id, "local:test", dry_run=False)
        raw = (store.folder_of(open_work) / FILE).read_bytes()
        version = FitResult.model_validate_json(raw).version
        assert version is not None
        StateStore(load_config(config).state_dir).activate(version, "local:test")
        store.end(open_work, "transfer_concluded", "local:test", version=version)


def look(config: Path) -> dict[str, object]:
    """What is there; raises where anything that is pointed at cannot be read."""
    state = load_config(config).state_dir
    store, versions = SessionStore(state), StateStore(state).read()
    sessions = store.read()
    names = []
    for added in sessions.open.added if sessions.open else ():
        assert sessions.open is not None
        store.scans(sessions.open, added)
        names.append(added.sample)
    for version in versions.held:
        StateStore(state).load(version)
    active = versions.active(SERIAL)
    told = [a.what for a in sessions.untold].count("transfer_sample_added")
    return {
        "open": sessions.open is not None,
        "samples": names,
        "told": told,
        "held": len(versions.held),
        "active": None if active is None else active.number,
    }


def main() -> None:
    """Count the steps, then die at each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lose", action="store_true")
    parser.add_argument("--most", type=int)
    parser.add_argument("--worker", action="store_true", help="fit, too: slower by a second each")
    given = parser.parse_args()
    cut_at_each_step(
        given.folder,
        configure,
        lambda config: go_on(config, worker=given.worker),
        look,
        lose=given.lose,
        most=given.most,
    )


if __name__ == "__main__":
    try:
        main()
    except Fault as fault:
        raise SystemExit(f"{fault} {fault.kind is Faults.STATE_DAMAGED}") from None
