"""Power cuts, simulated: `python -m tests.power_cuts CONFIG BUNDLE SLOT [--lose]`.

Prints how many steps an installation with activation has (each fsync and each rename, before and
after it). Then, for every step, a forked child on a copy of the device dies by SIGKILL just there,
and with --lose what a power cut would take is taken, too: contents that were not synced are cut in
half, and renames that were not followed by a sync of their folder are undone. After each, what the
daemon does at its start is done on that device, and one JSON line says which bundle it got.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import SlotName
from spektron_edge.config.loading import load_config
from spektron_edge.prediction.product import take_product, terms_of


class Disk:
    """Counts what reaches the disk, and cuts the power at one step."""

    def __init__(self, folder: Path, cut_at: int | None, *, lose: bool) -> None:
        self._folder = folder
        self._cut_at = cut_at
        self._lose = lose
        self._synced: set[tuple[int, int]] = set()
        self._renames: list[tuple[Path, Path, bytes | None]] = []
        self._known = {_identity(path) for path in folder.rglob("*")}
        self.steps = 0

    def hook(self) -> None:
        """Look at every fsync and rename of this process from now on."""
        os.fsync = self._around(os.fsync, self._note_sync)
        # pathlib keeps what os had when it was imported, so both are replaced.
        Path.replace = self._around_replace(Path.replace)  # type: ignore[method-assign]

    def _step(self) -> None:
        if self.steps == self._cut_at:
            if self._lose:
                self._forget()
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps += 1

    def _around(self, call: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self._step()
            result = call(*arguments)
            note(*arguments)
            self._step()
            return result

        return wrapped

    def _around_replace(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(source: Path, target: Path) -> Any:
            self._step()
            before = Path(target).read_bytes() if Path(target).exists() else None
            result = call(source, target)
            self._renames.append((Path(source), Path(target), before))
            self._step()
            return result

        return wrapped

    def _note_sync(self, handle: int) -> None:
        status = os.fstat(handle)
        self._synced.add((status.st_dev, status.st_ino))
        if stat.S_ISDIR(status.st_mode):
            self._renames = [r for r in self._renames if _identity(r[1].parent) != _id(status)]

    def _forget(self) -> None:
        """What was not synced is lost."""
        for path in self._folder.rglob("*"):
            kept = self._synced | self._known
            if path.is_file() and path.stat().st_size and _identity(path) not in kept:
                os.truncate(path, path.stat().st_size // 2)
        for source, target, before in reversed(self._renames):
            shutil.move(target, source)
            if before is not None:
                target.write_bytes(before)


def _id(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _identity(path: Path) -> tuple[int, int]:
    return _id(path.stat())


def _work(config_path: Path, bundle: Path, slot: SlotName) -> None:
    config = load_config(config_path)
    store, terms = SlotStore(config.state_dir), terms_of(config)
    install(store, bundle, terms, "local:test")
    activate(store, slot, terms, "local:test")


def _copy(config: Path, name: str) -> Path:
    """The device again, in a folder of its own."""
    folder = config.parent.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(config.parent, folder)
    return folder / config.name


def in_child(work: Callable[[], None]) -> int:
    """Exit status of a forked child that does this, negative for the signal that ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def cut_at_each_step(
    folder: Path,
    configure: Callable[[Path], Path],
    work: Callable[[Path], None],
    look: Callable[[Path], dict[str, object]],
    *,
    lose: bool,
    most: int | None,
) -> None:
    """Print how many steps `work` has on a fresh device, then what a cut at each leaves there.

    configure: makes a device in a folder; look: what is there, raising where it cannot be read;
    most: steps to die at, spread evenly. After a cut the work is done again, and looked at.
    """
    counted = configure(folder / "counted")
    reading, writing = os.pipe()

    def count() -> None:
        disk = Disk(counted.parent, None, lose=False)
        disk.hook()
        work(counted)
        os.write(writing, str(disk.steps).encode())

    assert in_child(count) == 0
    steps = int(os.read(reading, 16))
    print(json.dumps({"steps": steps}), flush=True)
    for at in spread(steps, most):
        shutil.rmtree(folder / "cut", ignore_errors=True)
        config = configure(folder / "cut")

        def die(config: Path = config, at: int = at) -> None:
            Disk(config.parent, at, lose=lose).hook()
            work(config)

        died = in_child(die)
        before = look(config)
        again = in_child(lambda config=config: work(config))
        line = {"at": at, "died": died, **before, "again": again, "after": look(config)}
        print(json.dumps(line), flush=True)


def spread(steps: int, most: int | None) -> list[int]:
    """All steps, or so many of them."""
    if most is None or most >= steps:
        return list(range(steps))
    return [round(i * (steps - 1) / (most - 1)) for i in range(most)]


def _cut(config: Path, bundle: Path, slot: SlotName, at: int, *, lose: bool) -> None:
    disk = Disk(config.parent, at, lose=lose)
    disk.hook()
    _work(config, bundle, slot)


def main() -> None:
    """Count the steps, then die at each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("slot")
    parser.add_argument("--lose", action="store_true")
    parser.add_argument("--most", type=int, help="die at so many steps only, spread evenly")
    arguments = parser.parse_args()
    config, bundle, slot = arguments.config, arguments.bundle, arguments.slot

    counted = _copy(config, "counted")
    reading, writing = os.pipe()

    def count() -> None:
        disk = Disk(counted.parent, None, lose=False)
        disk.hook()
        _work(counted, bundle, slot)
        os.write(writing, str(disk.steps).encode())

    assert in_child(count) == 0
    steps = int(os.read(reading, 16))
    print(json.dumps({"steps": steps}), flush=True)
    for at in spread(steps, arguments.most):
        copy = _copy(config, "cut")
        died = in_child(lambda: _cut(copy, bundle, slot, at, lose=arguments.lose))  # noqa: B023
        # A second attempt after the power is back must not trip over what the first left behind.
        loaded = take_product(load_config(copy))
        line = {"at": at, "died": died, "bundle": loaded.model.bundle_id, "left": loaded.left}
        again = in_child(lambda: _again(copy, bundle, slot, loaded.model.bundle_id))  # noqa: B023
        print(json.dumps({**line, "again": again}), flush=True)


def _again(config: Path, bundle: Path, slot: SlotName, running: str) -> None:
    """Finish what was cut short; afterwards the daemon gets the new bundle."""
    parsed = load_config(config)
    store = SlotStore(parsed.state_dir)
    if store.read().active != slot:
        _work(config, bundle, slot)
    assert take_product(parsed).model.bundle_id != running or store.read().active == slot


if __name__ == "__main__":
    main()
