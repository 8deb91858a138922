"""Known vulnerabilities and licences of what is pinned: `make audit`, which asks a service.

Exit status 0: all were asked for and nothing is known; 1: something is known, or a licence may not
ship; 3: the service did not answer for all of them, which says nothing about the rest.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from . import licences
from .lock import lock_file
from .platforms import PYTHONS

CLEAN, FOUND, NOT_ASKED = 0, 1, 3
_SERVICE = "the vulnerability service"


@dataclass
class Findings:
    """asked: how many pins got an answer; known: a line each; unasked: pin, or file, and why."""

    asked: int = 0
    known: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)


def examine(files: Iterable[Path], osv_url: str | None = None) -> Findings:
    """Every pin of the lock files, by pip-audit from OSV or from a mirror of it."""
    findings = Findings()
    for path in files:
        words = [sys.executable, "-m", "pip_audit", "--requirement", str(path), "--no-deps"]
        words += ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
        words += ["--vulnerability-service", "osv"]
        words += ["--osv-url", osv_url] if osv_url else []
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        try:
            told = json.loads(done.stdout)["dependencies"]
        except ValueError:
            last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
            findings.unasked.append(f"{path.name}: {last}")
            continue
        for one in told:
            # pip-audit itself ends with 0 when it could ask for nothing.
            if "skip_reason" in one:
                findings.unasked.append(f"{path.name}: {one['name']}: {one['skip_reason']}")
                continue
            findings.asked += 1
            pin = f"{one['name']} {one['version']}"
            for found in one["vulns"]:
                fixed = ", ".join(found["fix_versions"]) or "no version yet"
                names = ", ".join([found["id"], *found["aliases"]])
                findings.known.append(f"{path.name}: {pin}: {names}; fixed in {fixed}")
    return findings


def main(arguments: list[str] | None = None) -> int:
    """Say what is known; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--osv-url", help="a mirror of OSV's query address, in a closed network")
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")
    options = parser.parse_args(arguments)
    refused = licences.not_allowed(licences.entered())
    findings = examine((lock_file(python) for python in PYTHONS), options.osv_url)
    if options.json:
        print(json.dumps({**vars(findings), "licences": refused}, indent=1))
    else:
        _tell(findings, refused)
    if findings.known or refused:
        return FOUND
    return NOT_ASKED if findings.unasked else CLEAN


def _tell(findings: Findings, refused: dict[str, str]) -> None:
    print(f"licences: {len(licences.entered())} packages, of which {len(refused)} may not ship")
    for name, text in refused.items():
        print(f"  {name}: {text}")
    print(
        f"known vulnerabilities: {len(findings.known)} in {findings.asked} pins that were asked for"
    )
    for line in findings.known:
        print(f"  {line}")
    if findings.known:
        print("next: SECURITY.md says how they are judged; `make lock ARGS=--upgrade` takes fixes")
    if findings.unasked:
        print(f"NOT ASKED: {_SERVICE} gave no answer for these; nothing is known about them:")
        for line in findings.unasked:
            print(f"  {line}")
        print(f"next: run it where {_SERVICE} can be reached, or name a mirror with --osv-url")


if __name__ == "__main__":
    sys.exit(main())
