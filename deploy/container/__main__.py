"""`python -m deploy.container`: an image with buildah, from the wheels of the Debian package."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.environment.arguments import add_target, target_of
from deploy.environment.target import PREFIX, Target
from deploy.environment.tree import make_environment
from deploy.environment.wheels import Failed, own_wheel, pinned_wheels, source_date

_HERE = Path(__file__).resolve().parent


def build(target: Target, base: str | None, name: str, options: Sequence[str] = ()) -> None:
    """Make image `name` on `base` (None: the recipe's own). options: buildah's, before `bud`.

    Raises Failed.
    """
    if shutil.which("buildah") is None:
        raise Failed("buildah is not here: apt install buildah")
    with tempfile.TemporaryDirectory(prefix="spektron-image-") as scratch:
        context = Path(scratch)
        wheels = [*pinned_wheels(target), own_wheel(context)]
        make_environment(wheels, context / "root", PREFIX, target)
        shutil.copy(_HERE / "healthy.py", context / "root" / PREFIX.lstrip("/") / "bin" / "healthy")
        # Health is told by this format alone.
        words = ["buildah", *options, "bud", "--format", "docker", "--arch", target.architecture]
        words += ["--timestamp", str(source_date()), "--build-arg", f"PYTHON={target.python}"]
        words += ["--build-arg", f"BASE={base}"] if base else []
        words += ["--file", str(_HERE / "Containerfile"), "--tag", name, str(context)]
        # Its own words go to whoever waits.
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        if done.returncode:
            raise Failed(f"buildah ended with {done.returncode}")


def main() -> int:
    """Build it; print its name."""
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    add_target(parser)
    parser.add_argument("--base", help="the image that it stands on (debian:12-slim)")
    parser.add_argument("--name", default="localhost/spektron-edge")
    parser.add_argument("--storage-driver", help="buildah's")
    arguments = parser.parse_args()
    options = ["--storage-driver", arguments.storage_driver] if arguments.storage_driver else []
    try:
        build(target_of(arguments), arguments.base, arguments.name, options)
    except (Failed, ValueError) as error:
        print(f"no image was built: {error}", file=sys.stderr)
        return 1
    print(arguments.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
