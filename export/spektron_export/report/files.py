"""Where a report lies, and writing it."""

from __future__ import annotations

import json
from pathlib import Path

from ..pack import Report
from .content import contents_of
from .page import page


def report_paths(bundle: Path) -> tuple[Path, Path]:
    """`NAME.report.html` and `NAME.report.json` beside `NAME.spektron`."""
    stem = bundle.name.removesuffix(".spektron")
    return bundle.with_name(f"{stem}.report.html"), bundle.with_name(f"{stem}.report.json")


def write_report(report: Report) -> tuple[Path, Path]:
    """Write both files; their paths. Raises BundleError, OSError."""
    html, plain = report_paths(report.path)
    contents = contents_of(report)
    texts = {
        html: page(contents),
        plain: json.dumps(contents.to_json(), indent=1, ensure_ascii=False) + "\n",
    }
    for path, text in texts.items():
        # Whole or not at all: a report that is cut short looks like one that says less.
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return html, plain
