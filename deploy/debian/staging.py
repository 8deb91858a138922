"""The tree that a package unpacks: the environment, units, rules, documentation."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.environment.target import PREFIX
from deploy.environment.wheels import ROOT

from .control import NAME

_HERE = Path(__file__).resolve().parent
_SYSTEMD = ROOT / "deploy" / "systemd"
# Where a checkout's files go.
_FILES = {
    _HERE / "spektron.toml": f"usr/share/{NAME}/spektron.toml",
    _HERE / "copyright": f"usr/share/doc/{NAME}/copyright",
    _HERE / "lintian-overrides": f"usr/share/lintian/overrides/{NAME}",
    ROOT / "deploy" / "drill" / "drill.sh": f"usr/share/{NAME}/drill.sh",
    _SYSTEMD / "gpu" / "gpu.conf": f"usr/share/{NAME}/gpu.conf",
    _SYSTEMD
    / "journald.conf.d"
    / "spektron-edge.conf": "usr/lib/systemd/journald.conf.d/spektron-edge.conf",
    _SYSTEMD / "sysusers.d" / "spektron-edge.conf": "usr/lib/sysusers.d/spektron-edge.conf",
    _SYSTEMD / "tmpfiles.d" / "spektron-edge.conf": "usr/lib/tmpfiles.d/spektron-edge.conf",
    _SYSTEMD / "udev" / "60-spektron-edge.rules": "lib/udev/rules.d/60-spektron-edge.rules",
}


def add_files(root: Path, changes: str) -> None:
    """Everything but the environment, which is at `PREFIX` already. changes: of the package."""
    for source, name in _FILES.items():
        _copy(source, root / name)
    for unit in (*_SYSTEMD.glob("*.service"), *_SYSTEMD.glob("*.timer")):
        _copy(unit, root / "lib" / "systemd" / "system" / unit.name)
    documents = root / "usr" / "share" / "doc" / NAME
    for page in sorted((ROOT / "docs").glob("*.md")):
        _copy(page, documents / page.name)
    _copy(ROOT / "README.md", documents / "README.md")
    for name, text in (
        ("changelog.gz", (ROOT / "CHANGELOG.md").read_bytes()),
        ("changelog.Debian.gz", changes.encode()),
    ):
        (documents / name).write_bytes(gzip.compress(text, 9, mtime=0))
    programs = root / "usr" / "bin"
    programs.mkdir(parents=True)
    (programs / NAME).symlink_to(f"{PREFIX}/bin/{NAME}")


def settle(root: Path, epoch: int) -> None:
    """Modes and times that do not depend on who built it, where and when."""
    for path in [root, *sorted(root.rglob("*"))]:
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def files(root: Path) -> Iterator[Path]:
    """Regular files, sorted."""
    return (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())


def installed_kb(root: Path) -> int:
    """As dpkg-gencontrol counts: files in whole kB, all else 1 kB."""
    paths = list(root.rglob("*"))
    regular = [path for path in paths if path.is_file() and not path.is_symlink()]
    return sum(-(-path.stat().st_size // 1024) for path in regular) + len(paths) - len(regular)


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
