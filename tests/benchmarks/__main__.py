"""`make bench NAME=x` runs one benchmark, plain `make bench` all of them."""

from __future__ import annotations

import argparse
import importlib
import sys

from tests.benchmarks.report import write

NAMES = ("inference", "daemon", "main_job")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    for name in names:
        if name not in NAMES:
            print(f"no benchmark {name!r}; there are: {', '.join(NAMES)}", file=sys.stderr)
            return 2
        print(write(name, importlib.import_module(f"tests.benchmarks.{name}").measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
