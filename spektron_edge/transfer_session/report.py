"""The report of a transfer: one HTML file that needs nothing else, and its numbers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape

from .figures import Point, SpectraFigure
from .fit_result import PropertyResult
from .svg import BLUE, GREEN, ORANGE, Dot, Line, identity_chart, line_chart

_MOST_METHODS = 8
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:1180px;margin:1.5em auto;padding:0 1em;"
    "color:#222}h1{font-size:1.5em}h2{font-size:1.15em;margin-top:1.6em}table{border-collapse:"
    "collapse}td,th{padding:.25em .7em;text-align:left;border-bottom:1px solid #ddd}"
    ".charts{display:flex;flex-wrap:wrap}.charts svg{width:560px;max-width:100%;font-size:12px}"
    ".good{color:#00684b}.bad{color:#a33c00}.verdict{font-size:1.15em;font-weight:600}"
)


@dataclass(frozen=True)
class SampleRow:
    """A line of the table of samples. used: pair, unpaired, set aside or left out."""

    sample: str
    kind: str
    scans: int
    labels: str
    verdict: str
    used: str
    reasons: str


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that is shown. version: None after a dry run; tried: recipe -> expected errors."""

    bundle: str
    product: str
    serial: str
    by: str
    made: str
    version: int | None
    properties: tuple[PropertyResult, ...]
    basis: str
    why: str
    samples: tuple[SampleRow, ...]
    points: dict[str, list[Point]]
    rmsep_of_new: dict[str, tuple[float, int]]
    tried: list[tuple[str, list[float]]]
    spectra: SpectraFigure
    warnings: tuple[str, ...]
    details: dict[str, object]

    @property
    def verdict(self) -> str:
        """In words."""
        bad = [p.name for p in self.properties if not p.valid]
        if not bad:
            return "Valid for every property."
        if len(bad) == len(self.properties):
            return "Not valid: do not use it."
        return f"Valid, but not for {', '.join(bad)}."

    def as_json(self) -> dict[str, object]:
        """As plain values, spectra among them."""
        spectra = {
            name: value.tolist() if hasattr(value, "tolist") else value
            for name, value in vars(self.spectra).items()
        }
        return {
            "format": 1,
            "bundle": self.bundle,
            "product": self.product,
            "serial": self.serial,
            "by": self.by,
            "made": self.made,
            "version": self.version,
            "verdict": self.verdict,
            "properties": [p.model_dump(mode="json") for p in self.properties],
            "interval_basis": self.basis,
            "why": self.why,
            "samples": [asdict(row) for row in self.samples],
            "predictions": {name: [asdict(p) for p in ps] for name, ps in self.points.items()},
            "rmsep_of_new_samples": {
                name: {"rmsep": value, "samples": count}
                for name, (value, count) in self.rmsep_of_new.items()
            },
            "tried": dict(self.tried),
            "warnings": list(self.warnings),
            "spectra": spectra,
            "fit": self.details,
        }


def html(report: Report) -> str:
    """The page: no script, no font, no network."""
    name = "dry run" if report.version is None else f"transfer {report.version}"
    title = f"{report.product} on {report.serial}: {name}"
    state = "good" if all(p.valid for p in report.properties) else "bad"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict {state}">{escape(report.verdict)}</p>',
        f"<p>From {escape(report.bundle)}, by {escape(report.by)}, {escape(report.made)}.</p>",
        *[f'<p class="bad">{escape(text)}</p>' for text in report.warnings],
        "<h2>Predicted error</h2>",
        _properties(report),
        f"<p>Intervals: {escape(report.basis)}.</p>",
        "<h2>Prediction against reference</h2>",
        _predictions(report),
        "<h2>Spectra</h2>",
        _spectra(report.spectra),
        "<h2>Samples</h2>",
        _table(
            ("sample", "kind", "scans", "references given", "judged", "used", "why"),
            [tuple(str(v) for v in asdict(row).values()) for row in report.samples],
        ),
        "<h2>Method</h2>",
        f"<p>{escape(report.why)}</p>",
        _tried(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _properties(report: Report) -> str:
    rows = []
    for p in report.properties:
        new = report.rmsep_of_new.get(p.name)
        rows.append(
            (
                p.name,
                "yes" if p.valid else "no",
                f"{p.rmsep:.3g} ({p.rmsep_low:.3g} to {p.rmsep_high:.3g}) {p.unit}",
                "" if new is None else f"{new[0]:.3g} ({new[1]} samples)",
                p.method,
            )
        )
    head = ("property", "valid", "predicted RMSEP, 90 % interval", "RMSEP of new samples", "method")
    return _table(head, rows)


def _predictions(report: Report) -> str:
    charts = []
    for p in report.properties:
        found = report.points.get(p.name, [])
        dots = [
            Dot(q.sample, q.reference, q.predicted, q.low, q.high, BLUE if q.held_out else ORANGE)
            for q in found
        ]
        if dots:
            label = f"reference {p.name} [{p.unit}]"
            charts.append(identity_chart(dots, label, f"predicted {p.name} [{p.unit}]"))
    if not charts:
        return "<p>No sample has a reference value: there is nothing to compare with.</p>"
    said = (
        "<p>Blue: transfer samples, each predicted by a fit that had not seen it; orange: new "
        "samples, which no fit sees. Bars are 90 % intervals of one prediction.</p>"
    )
    return f'{said}<div class="charts">{"".join(charts)}</div>'


def _spectra(figure: SpectraFigure) -> str:
    charts = f'<div class="charts">{"".join(spectra_charts(figure))}</div>'
    if figure.after is None:
        return f"<p>Means of different samples.</p>{charts}"
    said = (
        f"<p>The same samples on both instruments. After: {escape(figure.how)}, and the mean "
        "difference, of the other pairs. The calibration itself goes on from there: what still "
        "differs between pairs is made not to matter.</p>"
    )
    return f"{said}{charts}"


def spectra_charts(figure: SpectraFigure) -> tuple[str, ...]:
    """Means of source and instrument, before and after; where there are pairs, what is left."""
    lines = [
        Line("source", figure.axis, figure.source, BLUE),
        Line("this instrument, before", figure.axis, figure.before, ORANGE),
    ]
    if figure.after is None or figure.left_before is None or figure.left_after is None:
        return (line_chart(lines, "wavelength [nm]", "mean absorbance"),)
    lines.append(Line("this instrument, after", figure.axis, figure.after, GREEN, dashed=True))
    left = [
        Line("before", figure.axis, figure.left_before, ORANGE),
        Line("after", figure.axis, figure.left_after, GREEN),
    ]
    return (
        line_chart(lines, "wavelength [nm]", "mean absorbance"),
        line_chart(left, "wavelength [nm]", "rms difference of a pair"),
    )


def _tried(report: Report) -> str:
    if not report.tried:
        return ""
    head = ("tried", *(f"{p.name} [{p.unit}]" for p in report.properties))
    rows = [(name, *(f"{v:.3g}" for v in values)) for name, values in report.tried[:_MOST_METHODS]]
    return "<p>Expected errors of the best that were tried:</p>" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"
