"""`spektron-train finetune`."""

from __future__ import annotations

import argparse
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
from spektron_train.finetune import STAGES, Settings, finetune_corn
from spektron_train.pretraining.shipped import FOUNDATION
from spektron_train.training.progress import progress

from . import EXIT_CHECKPOINT, EXIT_DATA, EXIT_OK, Failed, put_json


def run(arguments: argparse.Namespace) -> int:
    """Calibrate a product, write its checkpoint, show what it is worth. Raises Failed."""
    settings = Settings(
        seed=arguments.seed,
        foundation=arguments.foundation or FOUNDATION,
        threads=arguments.threads,
    )
    try:
        ensure_replaceable(arguments.out)
        corn = read_corn(arguments.corn_dir)
        with progress("Fine-tuning on corn", len(STAGES)) as advance:
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
    for title in ("R2", "RMSEP", "bias", "SEP", "RPD", "ridge alone, R2", "z_chem probe, R2"):
        table.add_column(title, justify="right")
    alone = metrics["held_out"]["with_noise_ridge"]
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
    console.print(f"RMSEP, bias, SEP in {card.properties[0].unit}.", *card.notes)
    console.print(f"{metrics['seconds']} s; checkpoint in {out}")
