"""Files of keys and passwords that everybody on the machine can read."""

from __future__ import annotations

import stat
from pathlib import Path

from spektron_edge.backup.sources import config_sources, state_sources
from spektron_edge.config.file import Config


def exposed(config: Config, folder: Path) -> list[str]:
    """Paths of such files that the configuration names or the state folder holds.

    folder: of the configuration. A group may read them: a package gives them to the daemon's. What
    cannot be looked at is left out.
    """
    found = [*config_sources(config, folder).files, *state_sources(config.state_dir).files]
    return sorted(str(s.file) for s in found if s.secret and _open_to_all(s.file))


def _open_to_all(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
