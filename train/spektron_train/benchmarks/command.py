"""Run a benchmark from the command line: figures to build/bench, a picture to docs/benchmarks."""

from __future__ import annotations

import json as serialise
import sys
from pathlib import Path

from rich.console import Console

from . import run
from .report import plot as draw
from .report import print_table, write_json

EXIT_OK, EXIT_USAGE, EXIT_DATA, EXIT_CHECKPOINT, EXIT_MISSING = 0, 2, 3, 4, 5
PICTURES = Path("docs/benchmarks")


def benchmark(name: str, json: bool, plot: bool, splits: int | None, out: Path) -> int:
    """Run benchmark `name` and write out/NAME.json; with `plot`, docs/benchmarks/NAME.png too.

    json: the report on standard output instead of a table; splits: how many of the quoted ones,
    None for all. Returns 0, 2 for an unknown name or number of splits, 3 for data that cannot be
    read, 4 for a foundation that is not there, 5 for a package that is not installed.
    """
    from spektron_train.checkpoint import CheckpointError
    from spektron_train.data.spectral_set import DataError

    try:
        with Console(stderr=True).status(f"benchmark {name}") as status:
            report = run(
                name, splits=splits, advance=lambda state: status.update(f"{name}: {state}")
            )
    except ValueError as error:
        return _say(str(error), EXIT_USAGE)
    except DataError as error:
        return _say(str(error), EXIT_DATA)
    except CheckpointError as error:
        return _say(f"{error}; `make pretrain` makes the foundation", EXIT_CHECKPOINT)
    except ModuleNotFoundError as error:
        return _say(
            f"{error.name} is not installed: pip install 'spektron-edge[dev]'", EXIT_MISSING
        )
    path = out / f"{name}.json"
    write_json(report, path)
    if plot:
        draw(report, PICTURES / f"{name}.png")
    if json:
        sys.stdout.write(serialise.dumps(report.as_dict()) + "\n")
    else:
        print_table(report)
    return EXIT_OK


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"spektron-train: {text}\n")
    return code
