"""A report as data, as lines and as a page."""

from __future__ import annotations

from collections import Counter
from html import escape

from firmware_bridge.conformance.suite import Report, Result, Verdict
from firmware_bridge.printable import printable

PAGE = "docs/protocol.md"
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;"
    "padding:.3rem .6rem;text-align:left;vertical-align:top}"
    ".failed{background:#fdd}.skipped{color:#777}"
)


def as_data(report: Report) -> dict[str, object]:
    """For `--json`."""
    return {
        "port": report.url,
        "baud": report.baud,
        "instrument": _instrument(report),
        "conforms": report.conforms,
        "counts": _counts(report),
        "seen": [printable(seen) for seen in report.seen],
        "requirements": [
            {
                "id": r.requirement.id,
                "severity": r.requirement.severity.value,
                "verdict": r.verdict.value,
                "promise": r.requirement.promise,
                "where": PAGE,
                **({"expected": r.expected, "received": r.received} if r.expected else {}),
                **({"reason": r.reason} if r.reason else {}),
            }
            for r in report.results
        ],
    }


def line(result: Result) -> str:
    """One result for a reader."""
    requirement = result.requirement
    told = f"{result.verdict.value:8} {requirement.severity.value:7} {requirement.id}"
    if result.verdict is Verdict.FAILED:
        told += (
            f"\n    expected {result.expected}\n    received {printable(result.received)}"
            f'\n    {PAGE}: "{requirement.promise}"'
        )
    elif result.reason:
        told += f": {result.reason}"
    return told


def summary(report: Report) -> str:
    """What was seen, and the last line for a reader."""
    seen = "".join(f"seen     {told}\n" for told in report.seen)
    return f"{seen}{_verdict(report)}"


def _verdict(report: Report) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in _counts(report).items())
    verdict = "conforms" if report.conforms else "does not conform"
    return f"{_instrument(report)} on {report.url}: {verdict} ({counts})"


def as_page(report: Report) -> str:
    """For `--report`: HTML that needs nothing else."""
    rows = "".join(_row(result) for result in report.results)
    title = escape(_verdict(report))
    seen = "".join(f"<li>{escape(told)}" for told in report.seen)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>Conformance</h1><p>{title}</p>"
        f"<table><tr><th>requirement<th>severity<th>verdict<th>promise and finding</tr>"
        f"{rows}</table><h2>Seen</h2><ul>{seen}</ul></html>\n"
    )


def _row(result: Result) -> str:
    requirement = result.requirement
    found = escape(result.reason)
    if result.verdict is Verdict.FAILED:
        found = f"expected {escape(result.expected)}<br>received {escape(result.received)}"
    return (
        f'<tr class="{result.verdict.value}"><td>{escape(requirement.id)}'
        f"<td>{requirement.severity.value}<td>{result.verdict.value}"
        f"<td>{escape(requirement.promise)}<br>{found}</tr>\n"
    )


def _instrument(report: Report) -> str:
    info = report.info
    return "unknown" if info is None else printable(f"{info.serial}, firmware {info.firmware}")


def _counts(report: Report) -> dict[str, int]:
    found = Counter(result.verdict.value for result in report.results)
    return {verdict.value: found[verdict.value] for verdict in Verdict}
