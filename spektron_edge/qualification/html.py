"""The report as a page: no script, no font, no network, for the screen and for paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .figures import drawn
from .items import Item
from .report import Report, Signed

_NAMES = {"iq": "Installation", "oq": "Operational", "pq": "Performance"}
_VERDICTS = {
    "pass": "Passed",
    "fail": "Failed",
    "incomplete": "Incomplete: something was not done",
}
_STYLE = (
    "@page{size:A4;margin:16mm}body{font:14px/1.45 system-ui,sans-serif;max-width:1180px;"
    "margin:1.5em auto;padding:0 1em;color:#222}h1{font-size:1.5em}h2{font-size:1.15em;"
    "margin-top:1.6em}table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;"
    "text-align:left;vertical-align:top;border-bottom:1px solid #ddd}"
    "td.w,.facts td{overflow-wrap:anywhere}"
    "thead{display:table-header-group}tr,figure{break-inside:avoid}"
    "figure{margin:0 0 1em;display:inline-block}figcaption{font-weight:600}"
    "figure svg{width:560px;max-width:100%;font-size:12px}.n,.v{white-space:nowrap}"
    ".pass{color:#00684b}.fail{color:#a33c00;font-weight:600}.not-done,.incomplete{color:#7a5c00;"
    "font-weight:600}.verdict{font-size:1.15em;font-weight:600}.facts td:first-child{width:14em}"
    "@media print{body{margin:0;padding:0;font-size:11px}figure svg{width:84mm}}"
)


def page(report: Report, sha256: str, signatures: Sequence[Signed], key_id: str) -> str:
    """sha256: of the report; key_id: of the device's key, which signs this page's hash."""
    title = f"{_NAMES[report.kind]} qualification {report.number}"
    parts: dict[str, list[Item]] = {}
    for item in report.items:
        parts.setdefault(item.part, []).append(item)
    counts = ", ".join(
        f"{sum(item.verdict == v for item in report.items)} {v}"
        for v in ("pass", "fail", "not done", "no limit")
    )
    body = [
        f"<h1>{escape(title)}: {escape(report.site)}/{escape(report.instrument)}</h1>",
        f'<p class="verdict {report.verdict}">{_VERDICTS[report.verdict]}.</p>',
        f"<p>{counts}. `No limit` is a value that nobody has set a limit to.</p>",
        _facts(report, sha256, key_id),
        "<h2>Signatures</h2>",
        _table(
            ("who", "meaning", "why", "when (UTC)", "recognised by"),
            [(s.by, s.meaning, s.reason, s.utc, s.proven) for s in signatures],
        ),
    ]
    for part, items in parts.items():
        body += [f"<h2>{escape(part[:1].upper() + part[1:])}</h2>", _items(items)]
    pictures = [
        f"<figure><figcaption>{escape(figure.title)}</figcaption>{svg}</figure>"
        for figure in report.figures
        if (svg := drawn(figure))
    ]
    if pictures:
        body += ["<h2>Figures</h2>", *pictures]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _facts(report: Report, sha256: str, key_id: str) -> str:
    plan = report.plan
    rows = [
        ("instrument", report.serial or "not known"),
        ("calibration", "not known" if report.calibration is None else report.calibration.told),
        ("began, ended (UTC)", f"{report.began}, {report.ended}"),
        ("clock of the host", report.clock),
        ("software", report.software),
        ("performed by", report.performed_by),
        ("plan", "none" if plan is None else f"{plan.title}, version {plan.version}"),
        ("plan, SHA-256", "none" if plan is None else plan.sha256),
        ("raw data, SHA-256", report.data or "none was measured"),
        ("report, SHA-256", sha256),
        ("signed by the device's key", key_id),
    ]
    return _table(("", ""), rows, "facts")


def _items(items: Sequence[Item]) -> str:
    rows = [
        f"<tr><td>{escape(item.what)}</td>"
        f'<td class="{"n" if isinstance(item.value, float) else "w"}">{escape(value(item))}</td>'
        f"<td>{escape(item.unit)}</td><td>{escape(item.limit or '')}</td>"
        f"<td>{escape(item.source or '')}</td>"
        f'<td class="v {item.verdict.replace(" ", "-")}">{item.verdict}</td>'
        f"<td>{escape(item.told)}</td></tr>"
        for item in items
    ]
    head = "".join(
        f"<th>{name}</th>" for name in ("what", "value", "unit", "limit", "source", "verdict", "")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def value(item: Item) -> str:
    """For a reader: four digits of a number."""
    if item.value is None:
        return ""
    return f"{item.value:.4g}" if isinstance(item.value, float) else str(item.value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    heading = f"<thead>{line('th', head)}</thead>" if any(head) else ""
    body = "".join(line("td", row) for row in rows)
    return f'<table class="{kind}">{heading}<tbody>{body}</tbody></table>'
