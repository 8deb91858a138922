"""`python -m deploy.debian`: a package for one architecture and one Python (docs/install.md)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.environment.arguments import add_target, target_of
from deploy.environment.wheels import ROOT, Failed

from .package import build


def main() -> int:
    """Build it; print where it is."""
    parser = argparse.ArgumentParser(prog="make deb", description=__doc__)
    add_target(parser)
    parser.add_argument("--revision", type=int, default=1, help="of the package (1)")
    parser.add_argument("--compression", choices=("xz", "none"), default="xz", help="none: at once")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    try:
        target = target_of(arguments)
        package = build(target, arguments.revision, arguments.out, arguments.compression)
    except (Failed, ValueError) as error:
        print(f"no package was built: {error}", file=sys.stderr)
        return 1
    print(package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
