"""`spektron-export`: a checkpoint becomes a bundle that an instrument can run.

`spektron-export keygen NAME` makes a signing key, `spektron-export sign BUNDLE` adds a signature.
A checkpoint folder of such a name is `./keygen`. `spektron-export --from-sklearn MODEL` wraps a
linear model that a laboratory has (`spektron-export --from-sklearn --help`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from .options import add_bundle_options

if TYPE_CHECKING:
    from spektron_edge.bundle.manifest import Precision

    from .protection import Protection
    from .signing import SigningKey

EXIT_OK, EXIT_CHECKPOINT, EXIT_REFUSED, EXIT_WRITE, EXIT_MISSING = 0, 4, 5, 6, 7
_KEY_CODES = "Exit codes: 0 done, 2 usage, 5 refused, 6 cannot write."


def _version(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a bundle's version starts at 1")
    return value


def _precisions(text: str) -> tuple[Precision, ...]:
    from spektron_edge.bundle.manifest import Precision

    known, chosen = get_args(Precision), tuple(text.split(","))
    if unknown := [name for name in chosen if name not in known]:
        raise argparse.ArgumentTypeError(f"no precision {unknown[0]!r}; there are {known}")
    # In one order and once each, whatever was typed.
    return tuple(name for name in known if name in chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spektron-export",
        description=__doc__,
        epilog="Exit codes: 0 done, 2 usage or spectra that cannot be used, 4 checkpoint, "
        "5 refused, 6 cannot write, 7 a package is missing, 130 stopped by Ctrl-C.",
    )
    parser.add_argument("checkpoint", type=Path, help="folder written by spektron-train")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="NAME.spektron",
        help="the bundle to write",
    )
    parser.add_argument(
        "--version", type=_version, default=1, help="of the bundle; newer is larger (default 1)"
    )
    add_bundle_options(parser)
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
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="spectra to see INT8's ranges on, instead of the checkpoint's (CSV, MAT, SPC, JCAMP)",
    )
    parser.add_argument(
        "--no-report",
        dest="report",
        action="store_false",
        help="do not write NAME.report.html and NAME.report.json beside the bundle",
    )
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    return parser


def _keygen_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spektron-export keygen",
        description="Make a key that signs bundles.",
        epilog=_KEY_CODES,
    )
    parser.add_argument("name", type=_key_name, help="of the files NAME.key.pem and NAME.pem")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder for both files (here)",
    )
    parser.add_argument("--passphrase-file", type=Path, help="encrypt the private key with it")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(command=_keygen)
    return parser


def _sign_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spektron-export sign",
        description="Add a signature to a bundle.",
        epilog=_KEY_CODES,
    )
    parser.add_argument("bundle", type=Path, help="to sign")
    parser.add_argument("--key", type=Path, required=True, help="private key from keygen")
    parser.add_argument("--passphrase-file", type=Path, help="of an encrypted key")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="NAME.spektron", help="default: in place"
    )
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(command=_sign)
    return parser


def _key_name(text: str) -> str:
    if not text or Path(text).name != text or text.startswith("."):
        raise argparse.ArgumentTypeError("a plain name; -o says the folder")
    return text


_OTHERS = {"keygen": _keygen_parser, "sign": _sign_parser}


def main(argv: list[str] | None = None) -> int:
    """Export, or make a key, or sign; returns the exit code.

    0, 2 usage, 4 checkpoint, 5 refused, 6 cannot write, 7 a package is missing.
    """
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in _OTHERS:
        arguments = _OTHERS[words[0]]().parse_args(words[1:])
        code: int = arguments.command(arguments)
        return code
    if any(word.partition("=")[0] == "--from-sklearn" for word in words):
        from .linear.cli import main as wrap

        return wrap(words)
    return _export(_parser().parse_args(words))


def _keygen(arguments: argparse.Namespace) -> int:
    from .errors import ExportError
    from .signing import make_key, read_passphrase

    try:
        passphrase = read_passphrase(arguments.passphrase_file)
        made = make_key(arguments.name, arguments.output, passphrase)
    except ExportError as error:
        return _fail(error, EXIT_REFUSED)
    except OSError as error:
        return _fail(f"cannot write {arguments.output}: {error}", EXIT_WRITE)
    report = {"key": made.key_id, "private": str(made.private), "public": str(made.public)}
    lines = [
        f"key {made.key_id}",
        f"private {made.private}: keep it off every device",
        f"public {made.public}: goes into `trust.keys` of the devices",
    ]
    print(json.dumps(report) if arguments.json else "\n".join(lines))
    return EXIT_OK


def _sign(arguments: argparse.Namespace) -> int:
    from spektron_edge.bundle import BundleError

    from .errors import ExportError
    from .signing import read_passphrase, read_signing_key, sign_bundle

    target = arguments.output or arguments.bundle
    try:
        key = read_signing_key(arguments.key, read_passphrase(arguments.passphrase_file))
        signers = sign_bundle(arguments.bundle, key, target)
    except (ExportError, BundleError) as error:
        return _fail(error, EXIT_REFUSED)
    except OSError as error:
        return _fail(f"cannot write {target}: {error}", EXIT_WRITE)
    report = {"bundle": str(target), "signatures": signers}
    text = f"{target}: signed by {', '.join(signers)}"
    print(json.dumps(report) if arguments.json else text)
    return EXIT_OK


def _export(arguments: argparse.Namespace) -> int:
    # Waiting threads that spin make a busy machine a hundred times slower; read at torch's import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # After parsing, since torch takes seconds to import and --help should not.
    try:
        from spektron_edge.bundle import BundleError
        from spektron_train.checkpoint import CheckpointError, load_checkpoint
        from spektron_train.training.progress import progress

        from .calibration_spectra import read_range_spectra
        from .errors import ExportError
        from .observed import read_observability
        from .pack import export_bundle
        from .screen import reported
        from .signing import sign_bundle
    except ModuleNotFoundError as error:
        hint = "pip install 'spektron-edge[export]'"
        return _fail(f"{error.name} is not installed: {hint}", EXIT_MISSING)
    try:
        # Before the minutes of work that a mistyped key would waste.
        key, keep = _asked(arguments)
        observed = read_observability(arguments.observability)
        checkpoint = load_checkpoint(arguments.checkpoint)
        ranges = None
        if arguments.calibration is not None:
            grid = checkpoint.encoder.config.axis()
            ranges = read_range_spectra(arguments.calibration, grid)
        with progress("Exporting", 3) as advance:
            report = export_bundle(
                checkpoint,
                arguments.output,
                arguments.version,
                advance,
                precisions=arguments.precision,
                adapt=arguments.adapt,
                keep=keep,
                ranges=ranges,
                observed=observed,
            )
        if key is not None:
            sign_bundle(arguments.output, key, arguments.output)
            report = replace(report, bytes=arguments.output.stat().st_size)
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
    return reported(report, wanted=arguments.report, as_json=arguments.json)


def _asked(arguments: argparse.Namespace) -> tuple[SigningKey | None, Protection]:
    from .protection import protection
    from .signing import read_passphrase, read_signing_key

    key = None
    if arguments.sign is not None:
        key = read_signing_key(arguments.sign, read_passphrase(arguments.passphrase_file))
    return key, protection(arguments.spectra, tuple(arguments.serial))


def _fail(message: object, code: int) -> int:
    print(f"spektron-export: {message}", file=sys.stderr)
    return code
