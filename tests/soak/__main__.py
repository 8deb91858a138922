"""`python -m tests.soak [--minutes 60] [--seed N] [--every 20] [--out FOLDER]`: docs/soak.md."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from spektron_edge.demo.broker import mosquitto
from tests.soak.report import as_json, failures, in_words, picture
from tests.soak.run import run


def main() -> int:
    """Exit status 1 where something failed."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of the faults (random)")
    parser.add_argument("--every", type=float, default=20.0, help="s between faults, on average")
    parser.add_argument("--out", type=Path, default=Path("build/soak"), help="for the report")
    parser.add_argument("--keep", type=Path, help="an empty folder for logs and ledgers")
    given = parser.parse_args()
    if os.geteuid() or mosquitto() is None:
        print("a soak needs root, for a disk of its own that can be full, and mosquitto")
        return 2
    seed = random.randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}: `make soak MINUTES={given.minutes:g} SEED={seed}` does this again")

    def say(line: str) -> None:
        print(line, flush=True)

    with tempfile.TemporaryDirectory(prefix="spektron-soak-") as name:
        folder = given.keep or Path(name)
        folder.mkdir(exist_ok=True)
        soak = run(folder, 60 * given.minutes, seed, given.every, say)
    given.out.mkdir(parents=True, exist_ok=True)
    said = in_words(soak)
    (given.out / "soak.json").write_text(json.dumps(as_json(soak), indent=1) + "\n")
    (given.out / "soak.txt").write_text(said + "\n")
    picture(soak, given.out / "soak.png")
    say(said)
    return 1 if failures(soak) else 0


if __name__ == "__main__":
    sys.exit(main())
