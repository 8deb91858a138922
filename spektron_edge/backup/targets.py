"""Where the files of a backup go on this device, and what is there already."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.placing import ASIDE, BEFORE

from .kinds import Place, kind_of
from .manifest import Kept


@dataclass(frozen=True)
class Target:
    """A file that the configuration names, and where it goes. there: whether another one has that
    name; same: whether what is there is what would come."""

    kept: Kept
    path: Path
    there: bool
    same: bool


def config_targets(files: Iterable[tuple[Kept, bytes]], folder: Path) -> list[Target]:
    """folder: of the configuration. Raises Fault(BACKUP_REFUSED)."""
    found = []
    for kept, data in files:
        path = folder / kept.path
        try:
            same, there = path.read_bytes() == data, True
        except FileNotFoundError:
            same = there = False
        except OSError as error:
            raise Fault(Faults.BACKUP_REFUSED, f"{path}: {error.strerror}") from None
        found.append(Target(kept, path, there, same))
    return found


def outside(targets: Iterable[Target], config: Config, folder: Path) -> list[Path]:
    """What would be written elsewhere than beside the configuration."""
    paths = [target.path for target in targets if not target.same]
    return [p for p in (*paths, config.state_dir) if not _below(p, folder)]


def occupied(folder: Path) -> bool:
    """Whether a state folder holds anything that a daemon does not make again."""
    for at, _, names in os.walk(folder):
        for name in names:
            path = (Path(at) / name).relative_to(folder).as_posix()
            if kind_of(path).place is not Place.LEFT_OUT or path.startswith((ASIDE, BEFORE)):
                return True
    return False


def _below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
