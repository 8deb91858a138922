"""`spektron-export --from-sklearn MODEL`: a laboratory's linear model becomes a bundle."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..options import add_bundle_options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spektron-export",
        description=__doc__,
        epilog="Exit codes: 0 done, 2 usage or a file that cannot be used, 5 refused, "
        "6 cannot write, 7 a package is missing.",
    )
    parser.add_argument(
        "--from-sklearn",
        type=Path,
        required=True,
        metavar="MODEL",
        help="a .skops file, or a CSV of coefficients (columns wavelength and one a property; a "
        "row `intercept`)",
    )
    parser.add_argument(
        "--spectra-from",
        type=Path,
        required=True,
        metavar="FILE",
        help="calibration spectra in absorbance over nm, with references",
    )
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="to report figures on")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="NAME.spektron",
        help="the bundle to write",
    )
    parser.add_argument("--name", help="of bundle and product (default: the output's)")
    parser.add_argument(
        "--version", type=_at_least_1, default=1, help="of the bundle; newer is larger (default 1)"
    )
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="NAME[=UNIT]",
        help="references of an output; once for each, in the order of the model's outputs "
        "(default: all references, with the units in brackets in their header)",
    )
    parser.add_argument(
        "--savgol",
        metavar="WINDOW,ORDER,DERIVATIVE",
        help="what the spectra were filtered with before the model was fitted",
    )
    add_bundle_options(parser)
    parser.add_argument(
        "--no-report",
        dest="report",
        action="store_false",
        help="do not write NAME.report.html and NAME.report.json beside the bundle",
    )
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    return parser


def _at_least_1(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a bundle's version starts at 1")
    return value


def main(words: Sequence[str]) -> int:
    """Wrap; returns the exit code: 0, 2 usage, 5 refused, 6 cannot write, 7 package missing."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = _parser().parse_args(words)
    try:
        from spektron_edge.bundle import BundleError

        from ..errors import ExportError
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed: pip install 'spektron-edge[export]'", 7)
    try:
        report = _wrap(arguments)
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed: pip install 'spektron-edge[export]'", 7)
    except (ExportError, BundleError) as error:
        return _fail(error, 5)
    except ValueError as error:
        return _fail(error, 2)
    except OSError as error:
        return _fail(f"cannot write {arguments.output}: {error}", 6)
    from ..screen import reported

    return reported(report, wanted=arguments.report, as_json=arguments.json)


def _wrap(arguments: argparse.Namespace) -> Any:
    from ..observed import read_observability
    from ..protection import protection
    from ..signing import read_passphrase, read_signing_key, sign_bundle
    from .calibration_set import Asked
    from .smoothing import Savgol
    from .wrap import Order, wrap_linear

    key = None
    if arguments.sign is not None:
        key = read_signing_key(arguments.sign, read_passphrase(arguments.passphrase_file))
    order = Order(
        model=arguments.from_sklearn,
        spectra=arguments.spectra_from,
        output=arguments.output,
        name=arguments.name or arguments.output.name.removesuffix(".spektron"),
        version=arguments.version,
        properties=tuple(Asked.parse(text) for text in arguments.property),
        savgol=Savgol.parse(arguments.savgol) if arguments.savgol else None,
        held_out=arguments.held_out,
        keep=protection(arguments.spectra, tuple(arguments.serial)),
        observed=read_observability(arguments.observability),
    )
    report = wrap_linear(order)
    if key is not None:
        sign_bundle(arguments.output, key, arguments.output)
        report = replace(report, bytes=arguments.output.stat().st_size)
    return report


def _fail(message: object, code: int) -> int:
    print(f"spektron-export: {message}", file=sys.stderr)
    return code
