"""Files of keys and passwords that everybody on the machine can read."""

from __future__ import annotations

import stat
from pathlib import Path

from spektron_edge.backup.sources import config_sources, state_sources
from spektron_edge.config.file import Config


def exposed(config: Config, folder: Path) -> list[str]:
    """Paths of such files that the configuration names or the state folder holds.

    folder: of the configuration. A group may read them: a package gives them to the daemon's. Raises
    OSError.
    """
    found = [*config_sources(config, folder).files, *state_sources(config.state_dir).files]
    secret = (source.file for source in found if source.secret)
    return sorted(str(file) for file in secret if file.stat().st_mode & stat.S_IROTH)
