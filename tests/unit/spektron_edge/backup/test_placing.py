"""A restore that is cut short at any step: what was there, or what was restored."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from spektron_edge.files import placing
from spektron_edge.files.state_folder import open_state
from tests.devices import LIMITS

pytestmark = pytest.mark.once

OLD = {"audit.jsonl": "", "deep/one": "old 1", "deep/two": "old 2", "only-old": "old 3"}
NEW = {"audit.jsonl": "", "deep/one": "new 1", "deep/three": "new 2", "only-new": "new 3"}


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def held(folder: Path) -> dict[str, str]:
    names = [p for p in folder.rglob("*") if p.is_file()]
    paths = {p.relative_to(folder).as_posix(): p for p in names}
    ours = ("restore-", "before-restore", "lock", "outbox.sqlite")
    return {name: p.read_text() for name, p in paths.items() if not name.startswith(ours)}


def placed(folder: Path, cut_at: int | None, *, replace: bool) -> int:
    """Place in a child that dies by SIGKILL before this step; how many steps there were."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    steps = 0

    def counted(call):
        def wrapped(*arguments, **options):
            nonlocal steps
            if steps == cut_at:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1
            return call(*arguments, **options)

        return wrapped

    for name in ("rename", "mkdir"):
        setattr(Path, name, counted(getattr(Path, name)))
    placing.sync_folder = counted(placing.sync_folder)
    shutil.rmtree = counted(shutil.rmtree)
    placing.begin(folder, replace=replace)
    placing.finish(folder)
    os._exit(steps)


@pytest.mark.parametrize("replace", [True, False])
def test_a_cut_at_any_step(tmp_path, replace):
    def fresh(name: object) -> Path:
        folder = tmp_path / str(name)
        folder.mkdir()
        fill(folder, OLD if replace else {})
        fill(placing.stage(folder), NEW)
        return folder

    steps = placed(fresh("whole"), None, replace=replace)
    assert steps > 5
    outcomes = set()
    for cut_at in range(steps):
        folder = fresh(cut_at)
        assert placed(folder, cut_at, replace=replace) == -signal.SIGKILL
        open_state(folder, LIMITS).close()
        after = held(folder)
        outcomes.add("only-new" in after)
        if "only-new" in after:
            assert after == NEW
            if replace:
                aside = {
                    p.relative_to(folder / "before-restore-1").as_posix(): p.read_text()
                    for p in (folder / "before-restore-1").rglob("*")
                    if p.is_file()
                }
                assert aside == OLD
        else:
            assert after == {"audit.jsonl": "", **(OLD if replace else {})}
    assert outcomes == {True, False}
