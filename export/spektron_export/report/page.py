"""A report as one HTML page that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .content import Contents
from .latency import GRADIENT
from .plots import gradient_picture, graph_picture

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: .5em 0 1.5em; }
th, td { border-bottom: 1px solid #ccc; padding: .2em .8em .2em 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } h2 { margin-top: 2em; } code { overflow-wrap: anywhere; }
.note { border-left: 4px solid #c0603a; padding-left: 1em; }
"""


def page(contents: Contents) -> str:
    """The whole document."""
    title = f"{contents.bundle.id}: report"
    parts = [
        _head(contents),
        _notes(contents),
        _figures(contents),
        _parity(contents),
        *_pictures(contents),
        _gradient(contents),
        _latency(contents),
        _members(contents),
        _provenance(contents),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Numbers, and text that was made from them, stand to the right."""
    lines = ["<table><tr>" + "".join(f"<th>{escape(h)}</th>" for h in header) + "</tr>"]
    for row in rows:
        cells = [escape(str(cell)) for cell in row]
        kinds = [' class="n"' if cell[:1] in "+-0123456789" else "" for cell in cells]
        tags = (f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, cells, strict=True))
        lines.append(f"<tr>{''.join(tags)}</tr>")
    return "\n".join([*lines, "</table>"])


def _head(contents: Contents) -> str:
    product, devices = contents.product, contents.bundle.manifest.devices
    grid = product.grid
    end = grid.start_nm + grid.step_nm * (grid.points - 1)
    units = ", ".join(f"{p.name} [{p.unit}]" for p in product.properties)
    rows = [
        ("file", f"{contents.file_name}, {contents.file_bytes / 2**20:.2f} MiB"),
        ("made", contents.bundle.manifest.provenance.created.isoformat()),
        ("predicts", units),
        ("grid", f"from {grid.start_nm:g} to {end:g} nm, {grid.points} points"),
        ("signed by", ", ".join(contents.signers) or "nobody"),
        ("calibration spectra", product.source_spectra.replace("_", " ")),
        ("not possible", product.transfer_without or "nothing is kept back"),
        ("bound to", ", ".join(devices or ()) or "any instrument"),
    ]
    return f"<h1>{escape(contents.bundle.id)}</h1>\n" + _table(("", ""), rows)


def _notes(contents: Contents) -> str:
    product = contents.product
    told = [*product.notes, *(one.in_words for one in product.observability)]
    notes = "".join(f"<p>{escape(note)}</p>" for note in told)
    return f'<h2>What a reader must know</h2>\n<div class="note">{notes}</div>' if notes else ""


def _figures(contents: Contents) -> str:
    evaluation = contents.product.evaluation
    rows = [
        (engine, name, *(f"{v:.4f}" for v in (m.rmsep, m.r2, m.bias, m.sep)), f"{m.rpd:.1f}")
        for engine, merits in contents.comparison.figures.items()
        for name, m in merits.items()
    ]
    header = ("graph", "property", "RMSEP", "R2", "bias", "SEP", "RPD")
    return (
        f"<h2>Figures of merit</h2>\n<p>{escape(evaluation.data)}; n = {evaluation.samples}</p>\n"
        + _table(header, rows)
    )


def _parity(contents: Contents) -> str:
    rows = [
        (
            p.graph,
            p.reference,
            name,
            f"{difference:.2e}",
            f"{p.rmsep_ratio[name]:.4f}",
            f"{p.z_chem:.2e}",
            f"{p.z_inst:.2e}",
            f"{p.z_chem_cosine:.7f}",
        )
        for p in contents.comparison.parity
        for name, difference in p.y.items()
    ]
    header = (
        *("graph", "against", "property", "max error of y", "RMSEP ratio"),
        *("max error of z_chem", "of z_inst", "smallest cosine of z_chem"),
    )
    scans = len(contents.comparison.reference)
    return f"<h2>Parity</h2>\n<p>Worst over {scans} scans.</p>\n" + _table(header, rows)


def _pictures(contents: Contents) -> list[str]:
    labels = tuple(f"{p.name} [{p.unit}]" for p in contents.product.properties)
    comparison, out = contents.comparison, []
    for parity in comparison.parity:
        names = (parity.graph, parity.reference)
        values = (comparison.values[names[0]], comparison.values[names[1]])
        uri = graph_picture(names, values, comparison.reference, labels)
        told = f"{names[0]} against {names[1]}: predicted values and errors"
        out.append(f'<h3>{escape(names[0])}</h3>\n<img alt="{escape(told)}" src="{uri}">')
    return out


def _gradient(contents: Contents) -> str:
    if contents.gradient is None:
        return ""
    rows = [(name, f"{error:.2e}") for name, error in contents.gradient.errors.items()]
    uri = gradient_picture(
        contents.gradient.actual["gradient"], contents.gradient.expected["gradient"]
    )
    return (
        f"<h3>{GRADIENT}</h3>\n<p>Against torch's autograd, relative to the largest element.</p>\n"
        + _table(("output", "max error"), rows)
        + f'\n<img alt="gradient against autograd" src="{uri}">'
    )


def _latency(contents: Contents) -> str:
    measured = contents.latencies
    rows = [
        (name, f"{t.median:.3f}", f"{t.low:.3f}", f"{t.high:.3f}")
        for name, t in measured.graphs.items()
    ]
    return (
        f"<h2>Latency on this machine</h2>\n<p>{escape(measured.machine)}; one thread, one "
        f"spectrum a call, {measured.rounds} rounds in which the graphs take turns; "
        "not an instrument's.</p>\n"
        + _table(("graph", "median ms", "fastest round", "slowest round"), rows)
    )


def _members(contents: Contents) -> str:
    rows = [(name, f"{size}") for name, size in contents.member_bytes.items()]
    return "<h2>Members</h2>\n" + _table(("member", "bytes"), rows)


def _provenance(contents: Contents) -> str:
    made = contents.bundle.manifest.provenance
    data = [(name, made.licences.get(name, ""), digest) for name, digest in made.data.items()]
    rest = [(n, terms) for n, terms in made.licences.items() if n not in made.data]
    return (
        f"<h2>Provenance</h2>\n<p>commit <code>{escape(made.git_commit)}</code>, seed {made.seed}"
        "</p>\n"
        + _table(("data", "licence", "SHA-256"), data)
        + (_table(("licence of", "terms"), rest) if rest else "")
        + _table(("package", "version"), made.versions.items())
    )
