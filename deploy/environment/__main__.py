"""`python -m deploy.environment`: the wheel into dist, the same bytes from the same commit."""

from __future__ import annotations

import sys

from .wheels import ROOT, Failed, own_wheel


def main() -> int:
    """Build it; print where it is."""
    try:
        print(own_wheel(ROOT / "dist"))
    except Failed as error:
        print(f"no wheel was built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
