"""Options that every way to a bundle has. Imports nothing heavy: help is shown at once."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_bundle_options(parser: argparse.ArgumentParser) -> None:
    """Who signs the bundle, for whom it is, and what goes in beside the model."""
    parser.add_argument("--sign", type=Path, metavar="KEY", help="sign with this private key")
    parser.add_argument("--passphrase-file", type=Path, help="of an encrypted key")
    parser.add_argument(
        "--spectra",
        default="included",
        metavar="HOW",
        help="calibration spectra: included, left-out, or for:DEVICE_PUBLIC_KEY.pem (included)",
    )
    parser.add_argument(
        "--serial",
        action="append",
        default=[],
        help="bind the bundle to this instrument; may be given several times",
    )
    parser.add_argument(
        "--observability",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.json",
        help="what an instrument sees of an analyte, from `spektron-train physics observability "
        "--json`; may be given several times",
    )
