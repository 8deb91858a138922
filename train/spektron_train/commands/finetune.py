"""`spektron-train finetune`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from spektron_train.checkpoint import (
    Card,
    CheckpointError,
    ensure_replaceable,
    load_checkpoint,
    save_checkpoint,
)
from spektron_train.data.corn import CornError, read_corn
from spektron_train.finetune import Settings, finetune_corn, training_steps
from spektron_train.training.progress import progress

from . import EXIT_CHECKPOINT, EXIT_DATA, EXIT_OK, Failed, put_json


def run(arguments: argparse.Namespace) -> int:
    """Train a product's encoder, write its checkpoint, show what it is worth. Raises Failed."""
    settings = Settings(seed=arguments.seed, threads=arguments.threads)
    if arguments.epochs:
        settings = replace(settings, schedule=replace(settings.schedule, epochs=arguments.epochs))
    try:
        ensure_replaceable(arguments.out)
        corn = read_corn(arguments.corn_dir)
        with progress("Fine-tuning on corn", training_steps(settings)) as advance:
            checkpoint = finetune_corn(corn, settings, advance)
        save_checkpoint(arguments.out, checkpoint)
        card = load_checkpoint(arguments.out).card
    except CornError as error:
        raise Failed(EXIT_DATA, error) from None
    except CheckpointError as error:
        raise Failed(EXIT_CHECKPOINT, error) from None
    if arguments.json:
        put_json({"checkpoint": str(arguments.out), **card.metrics})
    else:
        _show(card, arguments.out)
    return EXIT_OK


def _show(card: Card, out: Path) -> None:
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
