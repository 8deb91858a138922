"""Pictures and tables of docs/ that come from running things: `make pictures`."""

from __future__ import annotations

import base64
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from spektron_edge.demo.corn import MOISTURE_NOTE, PROPERTIES
from spektron_edge.demo.job import Options, run_demo
from spektron_edge.demo.screen import TextScreen
from spektron_edge.transfer_session import Session
from spektron_edge.transfer_session.fit_result import PICTURE
from tests.benchmarks.report import FOLDER
from tests.corn_bench import SERIAL, Cups, configure, measure

DOCS = Path(__file__).resolve().parents[1] / "docs"


def demo_picture() -> None:
    """What `make demo` shows, as docs/demo.svg."""
    console = Console(record=True, width=100, highlight=False)
    run_demo(Options(scans=20, speed=10.0, seed=0, broker=None), TextScreen(console))
    svg = console.export_svg(title="make demo", unique_id="demo")
    # rich has the viewer fetch a font from the network; any monospace font will do.
    (DOCS / "demo.svg").write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL))


def benchmark_page() -> None:
    """The last figures of build/bench in docs/benchmarks/README.md, with their pictures; what was
    not run here again stays as it is."""
    folder = DOCS / "benchmarks"
    page = folder / "README.md"
    _, *before = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    sections = {section.split("\n", 1)[0]: f"## {section}" for section in before}
    for path in FOLDER.glob("*.json"):
        lines = _section(json.loads(path.read_text()))
        picture = path.with_suffix(".png")
        if picture.is_file():
            shutil.copy(picture, folder / picture.name)
        if (folder / picture.name).is_file():
            lines += [f"![{path.stem}]({picture.name})", ""]
        sections[path.stem] = "\n".join(lines)
    head = [
        "# Benchmarks",
        "",
        "The last run of each `make bench NAME=...`, by `make pictures`.",
        "",
    ]
    head += ["What the corn set can and cannot show:", "", MOISTURE_NOTE, ""]
    texts = ["\n".join(head), *(sections[name] for name in sorted(sections))]
    page.write_text("\n".join(f"{text.rstrip()}\n" for text in texts))


def export_picture() -> None:
    """INT8 in the report of the checkpoint of `make bundle`, as docs/export-report.png."""
    checkpoint = DOCS.parent / "build" / "corn-checkpoint"
    if not checkpoint.is_dir():
        return
    # torch takes seconds to import.
    from spektron_export.pack import export_bundle
    from spektron_export.report.plots import graph_picture
    from spektron_train.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        made = export_bundle(loaded, Path(folder) / "corn.spektron", adapt=False).comparison
    labels = tuple(f"{p.name} [{p.unit}]" for p in loaded.card.properties)
    pair = (made.values["int8"], made.values["fp32"])
    uri = graph_picture(("int8", "fp32"), pair, made.reference, labels)
    (DOCS / "export-report.png").write_bytes(base64.b64decode(uri.partition(",")[2]))


def transfer_picture() -> None:
    """The report of a transfer from m5 to mp6 with ten samples, as docs/transfer-report.png."""
    with tempfile.TemporaryDirectory() as folder:
        session, cups = Session(configure(Path(folder)), "make pictures"), Cups()
        session.start(SERIAL)
        measure(session, cups, 10)
        for name in ("new0", "new1", "new2", "new3", "new4"):
            values = dict(zip(PROPERTIES, map(float, cups.references[name]), strict=True))
            session.add(name, cups.scans(name), new=True, labels=values)
        done = session.finish()
        shutil.copy(done.folder / PICTURE, DOCS / "transfer-report.png")


def soak_picture() -> None:
    """Memory and faults of the last `make soak`, as docs/soak.png."""
    made = DOCS.parent / "build" / "soak" / "soak.png"
    if made.is_file():
        shutil.copy(made, DOCS / made.name)


def _section(report: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [f"## {report['name']}", "", f"{report['machine']}; {versions}", ""]
    lines += ["| id | value | spread | unit | better | how |", "|---|---|---|---|---|---|"]
    for f in report["figures"]:
        spread = "" if f["spread"] is None else f"{f['spread']:.3g}"
        cells = (f"`{f['id']}`", f"{f['value']:.4g}", spread, f["unit"], f["better"], f["how"])
        lines.append(f"| {' | '.join(cells)} |")
    lines += _rows(report.get("rows", []))
    return [*lines, "", *(f"- {note}" for note in report.get("notes", [])), ""]


def _rows(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = [
        "",
        "| data set | property | method | metric | median | quartiles | mean | SE | unit |",
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        error = "" if r["standard_error"] is None else f"{r['standard_error']:.2g}"
        cells = (r["dataset"], r["property"], r["method"], r["metric"], f"{r['median']:.4g}")
        cells += (f"{r['low']:.4g} to {r['high']:.4g}", f"{r['mean']:.4g}", error, r["unit"])
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    demo_picture()
    benchmark_page()
    export_picture()
    transfer_picture()
    soak_picture()
