"""`spektron-export`: a checkpoint becomes a bundle that an instrument can run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from spektron_edge.manifest import Precision

    from .pack import Report

EXIT_OK, EXIT_CHECKPOINT, EXIT_REFUSED, EXIT_WRITE, EXIT_MISSING = 0, 4, 5, 6, 7


def _version(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a bundle's version starts at 1")
    return value


def _precisions(text: str) -> tuple[Precision, ...]:
    from spektron_edge.manifest import Precision

    known, chosen = get_args(Precision), tuple(text.split(","))
    if unknown := [name for name in chosen if name not in known]:
        raise argparse.ArgumentTypeError(f"no precision {unknown[0]!r}; there are {known}")
    # In one order and once each, whatever was typed.
    return tuple(name for name in known if name in chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spektron-export", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder written by spektron-train")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NAME.spektron")
    parser.add_argument(
        "--version", type=_version, default=1, help="of the bundle; newer is larger (default 1)"
    )
    parser.add_argument(
        "--precision",
        type=_precisions,
        default="int8,fp16,fp32",
        metavar="LIST",
        help="encoder graphs to put in, separated by commas (default int8,fp16,fp32)",
    )
    parser.add_argument(
        "--no-adapt",
        dest="adapt",
        action="store_false",
        help="leave out the gradient graph; the instrument cannot adapt then",
    )
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Export; returns the exit code.

    0, 2 usage, 4 checkpoint, 5 refused, 6 cannot write, 7 a package is missing.
    """
    arguments = _parser().parse_args(argv)
    # Waiting threads that spin make a busy machine a hundred times slower; read at torch's import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # After parsing, since torch takes seconds to import and --help should not.
    try:
        from spektron_edge.bundle import BundleError
        from spektron_train.checkpoint import CheckpointError, load_checkpoint
        from spektron_train.training.progress import progress

        from .errors import ExportError
        from .pack import export_bundle
    except ModuleNotFoundError as error:
        hint = "pip install 'spektron-edge[export]'"
        return _fail(f"{error.name} is not installed: {hint}", EXIT_MISSING)
    try:
        checkpoint = load_checkpoint(arguments.checkpoint)
        with progress("Exporting", 3) as advance:
            report = export_bundle(
                checkpoint,
                arguments.output,
                arguments.version,
                advance,
                precisions=arguments.precision,
                adapt=arguments.adapt,
            )
    except CheckpointError as error:
        return _fail(error, EXIT_CHECKPOINT)
    except (ExportError, BundleError) as error:
        return _fail(error, EXIT_REFUSED)
    except ValueError as error:
        return _fail(error, 2)
    except OSError as error:
        return _fail(f"cannot write {arguments.output}: {error}", EXIT_WRITE)
    except KeyboardInterrupt:
        return _fail("stopped; nothing was written", 130)
    if arguments.json:
        print(json.dumps(report.to_json()))
    else:
        _show(report)
    return EXIT_OK


def _fail(message: object, code: int) -> int:
    print(f"spektron-export: {message}", file=sys.stderr)
    return code


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    parity = Table(title="Parity: largest difference on the held-out spectra")
    for column in ("graph", "against", "property", "y", "RMSEP ratio", "z_chem", "z_chem cosine"):
        parity.add_column(column)
    for p in report.parity:
        for name, difference in p.y.items():
            parity.add_row(
                p.graph,
                p.reference,
                name,
                f"{difference:.2e}",
                f"{p.rmsep_ratio[name]:.4f}",
                f"{p.z_chem:.2e}",
                f"{p.z_chem_cosine:.6f}",
            )
    console.print(parity)
    figures = Table(title="Held-out figures through detector noise")
    for column in ("graph", "property", "R2", "RMSEP", "bias", "SEP", "RPD"):
        figures.add_column(column)
    for graph, merits in report.figures.items():
        for name, m in merits.items():
            numbers = (f"{m.r2:.4f}", f"{m.rmsep:.4f}", f"{m.bias:+.4f}", f"{m.sep:.4f}")
            figures.add_row(graph, name, *numbers, f"{m.rpd:.1f}")
    console.print(figures)
    if report.gradient_error is not None:
        console.print(f"Gradient against autograd: {report.gradient_error:.1e} of the largest one")
    sizes = ", ".join(f"{n} {size / 2**20:.2f} MB" for n, size in report.graph_bytes.items())
    console.print(f"{report.path}: {report.bytes / 2**20:.2f} MB ({sizes}); id {report.bundle_id}")
