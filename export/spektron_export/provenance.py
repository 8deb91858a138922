"""Where a bundle came from."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from spektron_edge.bundle.manifest import Provenance
from spektron_train.checkpoint import Card

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def provenance(card: Card) -> Provenance:
    """Provenance of a bundle made now from that checkpoint."""
    return Provenance(
        created=created(),
        git_commit=git_commit(),
        seed=card.seed,
        data=card.data,
        versions={**card.versions, **{name: metadata.version(name) for name in _PACKAGES}},
        licences=card.licences,
    )


def created() -> datetime:
    """Now to the second, or SOURCE_DATE_EPOCH where it is set.

    Raises ValueError when SOURCE_DATE_EPOCH is not a number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        try:
            return datetime.fromtimestamp(int(epoch), timezone.utc)
        except (ValueError, OverflowError, OSError):
            raise ValueError(f"SOURCE_DATE_EPOCH is {epoch!r}, not seconds since 1970") from None
    return datetime.now(timezone.utc).replace(microsecond=0)


def git_commit() -> str:
    """Commit of the source tree this runs from, with "+dirty" where it was edited since.

    "unknown" outside a checkout of this project.
    """
    git, root = shutil.which("git"), Path(__file__).resolve().parents[2]
    # Installed into some other project's environment, that project's commit would be found.
    if git is None or not (root / ".git").exists():
        return "unknown"

    def ask(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603  fixed arguments
            [git, *arguments], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    edited = ask("status", "--porcelain", "--", "train", "export", "spektron_edge/*.py")
    commit = ask("rev-parse", "HEAD")
    return commit + ("+dirty" if edited else "") if commit else "unknown"
