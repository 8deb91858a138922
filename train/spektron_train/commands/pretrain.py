"""`spektron-train pretrain`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from spektron_train.checkpoint import CheckpointError
from spektron_train.pretraining.config import ConfigError, PretrainConfig, load_config
from spektron_train.pretraining.folder import recall
from spektron_train.pretraining.loop import RunResult, pretrain
from spektron_train.pretraining.session import LostContact, leads
from spektron_train.pretraining.state import StateError
from spektron_train.pretraining.step import Diverged
from spektron_train.training.progress import Advance, progress

from . import EXIT_CHECKPOINT, EXIT_OK, EXIT_RUN, EXIT_USAGE, Failed, put_json


def run(arguments: argparse.Namespace) -> int:
    """Run to the end or to a signal; 128 and its number then. Raises Failed."""
    console = Console(stderr=True, highlight=False, markup=False, quiet=not leads())
    try:
        config, recipe = _config(arguments)
        result = pretrain(
            config.with_steps(arguments.steps),
            arguments.out,
            recipe=recipe,
            resume=arguments.resume,
            extend=arguments.steps is not None,
            watch=_watch,
            say=console.print,
        )
    except ConfigError as error:
        raise Failed(EXIT_USAGE, error) from None
    except (StateError, CheckpointError) as error:
        raise Failed(EXIT_CHECKPOINT, error) from None
    except (Diverged, LostContact) as error:
        raise Failed(EXIT_RUN, error) from None
    if leads():
        _tell(console, result, arguments)
    return EXIT_OK if result.signal is None else 128 + result.signal


def _config(arguments: argparse.Namespace) -> tuple[PretrainConfig, str]:
    if arguments.config is not None:
        return load_config(arguments.config), arguments.config
    if arguments.resume:
        return recall(arguments.out)
    raise ConfigError("name a recipe or a file by --config; only --resume does without")


@contextmanager
def _watch(steps: int) -> Iterator[Advance]:
    with progress("Pretraining", steps) as advance:
        yield advance


def _tell(console: Console, result: RunResult, arguments: argparse.Namespace) -> None:
    console.print(result.told)
    if result.foundation is not None:
        console.print(f"foundation in {result.foundation}")
    if arguments.json:
        put_json({key: _plain(value) for key, value in asdict(result).items()})


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
