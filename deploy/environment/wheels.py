"""The wheels of an environment: our own, and what the lock file pins by hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .target import Target

ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A step could not be done; the text says why, and is for a person."""


def source_date() -> int:
    """Seconds since 1970 that every built file carries: SOURCE_DATE_EPOCH, or the last commit's.

    Raises Failed where there is neither.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        if not given.isdecimal():
            raise Failed(f"SOURCE_DATE_EPOCH is no number of seconds: {given!r}")
        return int(given)
    words = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise Failed("no commit to take the date from: set SOURCE_DATE_EPOCH")
    return int(done.stdout)


def own_wheel(folder: Path) -> Path:
    """Build the checkout's wheel into `folder`: the same bytes wherever it is built.

    hatchling, in the version that pyproject.toml pins, has to be installed. Raises Failed.
    """
    with tempfile.TemporaryDirectory() as fresh:
        words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-cache-dir"]
        words += ["--no-build-isolation", "--no-index", "--wheel-dir", fresh, str(ROOT)]
        _done(words, {"SOURCE_DATE_EPOCH": str(source_date())})
        (built,) = Path(fresh).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(built, folder))


def pinned_wheels(target: Target) -> list[Path]:
    """What the target's lock file pins, in the order of names.

    Downloaded once, whole or not at all. Raises Failed.
    """
    lock = ROOT / "deploy" / "lock" / f"runtime-{target.tag}.txt"
    if not lock.is_file():
        raise Failed(f"nothing is pinned for Python {target.python}: there is no {lock}")
    digest = hashlib.sha256(lock.read_bytes() + "".join(target.platforms).encode()).hexdigest()
    kept = ROOT / "build" / "wheels"
    folder = kept / f"{target.tag}-{target.architecture}-{digest[:8]}"
    if not folder.is_dir():
        print(f"downloading the wheels of {lock.name} for {target.architecture}", file=sys.stderr)
        kept.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=kept))
        try:
            words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            words += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)]
            words += ["--implementation", "cp", "--python-version", target.python]
            for abi in (target.tag.replace("py", "cp"), "abi3", "none"):
                words += ["--abi", abi]
            for platform in target.platforms:
                words += ["--platform", platform]
            _done([*words, "--dest", str(partial)])
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    found = sorted(folder.glob("*.whl"))
    if target.gpu is None:
        return found
    return [target.gpu if wheel.name.startswith("onnxruntime-") else wheel for wheel in found]


def _done(words: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        words,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(words[2:4])} ended with {done.returncode}: {done.stderr.strip()}")
