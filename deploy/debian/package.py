"""Tree to package: the same bytes from the same commit, wherever it is built."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.environment.target import PREFIX, Target
from deploy.environment.tree import make_environment
from deploy.environment.wheels import Failed, own_wheel, pinned_wheels, source_date

from .control import Control
from .staging import add_files, files, installed_kb, settle

_SCRIPTS = Path(__file__).resolve().parent / "scripts"


def build(target: Target, revision: int, out: Path, compression: str = "xz") -> Path:
    """The .deb, in `out`. compression: dpkg-deb's; "none" is quick.

    Raises Failed.
    """
    if shutil.which("dpkg-deb") is None:
        raise Failed("dpkg-deb is not here: apt install dpkg")
    epoch = source_date()
    with tempfile.TemporaryDirectory(prefix="spektron-deb-") as scratch:
        own, root = own_wheel(Path(scratch)), Path(scratch) / "root"
        root.mkdir()
        make_environment([*pinned_wheels(target), own], root, PREFIX, target)
        control = Control(own.name.split("-")[1], revision, target)
        add_files(root, control.changes(epoch))
        _add_control(root, control)
        settle(root, epoch)
        out.mkdir(parents=True, exist_ok=True)
        package = out / control.file_name
        words = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--threads-max=1"]
        done = subprocess.run(
            [*words, "--build", str(root), str(package)],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"dpkg-deb: {done.stderr.strip()}")
        return package


def _add_control(root: Path, control: Control) -> None:
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{path.relative_to(root)}\n"
        for path in files(root)
    ]
    kilobytes = installed_kb(root)
    folder = root / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(control.text(kilobytes))
    (folder / "md5sums").write_text("".join(sums))
    for script in sorted(_SCRIPTS.iterdir()):
        shutil.copyfile(script, folder / script.name)
        (folder / script.name).chmod(0o755)
