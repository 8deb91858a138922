"""docs/threat-model.svg: who talks to the instrument across which boundary (`make pages`).

Boxes outside the dashed lines are not trusted with more than the arrow says. The names of
boundaries are the headings of docs/threat-model.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 1120, 650
_STYLE = """
text{font:13px sans-serif;fill:#16202a}.small{font-size:11px;fill:#4a5a68}
.box{fill:#fff;stroke:#16202a}.ours{fill:#e3f0f7;stroke:#1b5e82}
.zone{fill:none;stroke:#b3541e;stroke-width:1.5;stroke-dasharray:7 5}
.zonename{fill:#b3541e;font-size:12px}
.flow{stroke:#16202a;fill:none;marker-end:url(#tip)}
"""


@dataclass(frozen=True)
class _Box:
    x: int
    y: int
    width: int
    title: str
    below: str = ""
    ours: bool = False

    @property
    def height(self) -> int:
        return 48


@dataclass(frozen=True)
class _Flow:
    """An arrow from (x1, y1) to (x2, y2), its boundary, and what flows, written at (x, y)."""

    line: tuple[int, int, int, int]
    boundary: str
    what: str
    at: tuple[int, int]


_ZONES = (
    (270, 30, 530, 600, "the device: what root and the daemon's user may write"),
    (290, 120, 215, 200, "the daemon's process"),
)
_BOXES = (
    _Box(310, 150, 170, "daemon", "scans to records", ours=True),
    _Box(370, 260, 110, "drivers", "ours and others'", ours=True),
    _Box(610, 150, 170, "page", "a process of its own", ours=True),
    _Box(310, 390, 170, "state folder", "outbox, transfers, slots"),
    _Box(310, 490, 170, "audit log", "chained by hash"),
    _Box(610, 290, 170, "configuration", "keys, trusted signers"),
    _Box(610, 430, 170, "qualification", "protocols of IQ, OQ, PQ", ours=True),
    _Box(610, 560, 170, "command line", "administrator", ours=True),
    _Box(20, 130, 135, "time source", "network, own clock"),
    _Box(20, 260, 135, "instrument", "counts"),
    _Box(20, 390, 135, "backup", "copies elsewhere"),
    _Box(20, 560, 135, "support", "who helps from afar"),
    _Box(960, 60, 140, "broker", "consumers, operators"),
    _Box(960, 150, 140, "browsers", "viewer to engineer"),
    _Box(960, 230, 140, "monitoring", "journal, Prometheus"),
    _Box(960, 390, 140, "training host", "signs bundles"),
    _Box(960, 560, 140, "packages", "ours, dependencies"),
)
_FLOWS = (
    _Flow((155, 154, 310, 166), "Time source", "time", (165, 141)),
    _Flow((155, 284, 370, 284), "Serial line", "frames", (165, 278)),
    _Flow((425, 260, 425, 198), "Drivers", "counts, axis", (433, 240)),
    _Flow((440, 150, 960, 84), "MQTT", "records out, signed commands in", (520, 100)),
    _Flow((610, 174, 480, 174), "Door", "by role", (524, 168)),
    _Flow((960, 174, 780, 174), "Page", "HTTP(S)", (830, 168)),
    _Flow((480, 190, 960, 250), "Logs and metrics", "lines, figures", (830, 220)),
    _Flow((610, 310, 450, 198), "Configuration and keys", "read at the start", (625, 282)),
    _Flow((330, 198, 330, 390), "State", "records, states", (338, 352)),
    _Flow((960, 414, 480, 414), "Bundle files", "signed models", (830, 408)),
    _Flow((480, 430, 610, 448), "Qualification", "signed", (500, 474)),
    _Flow((330, 438, 330, 490), "Audit log", "who, what, when", (338, 472)),
    _Flow((310, 414, 155, 414), "Backup", "there and back", (165, 408)),
    _Flow((610, 584, 155, 584), "Support file", "no secrets", (165, 578)),
    _Flow((960, 584, 780, 584), "Update and dependencies", "by hash", (815, 551)),
)
BOUNDARIES = tuple(flow.boundary for flow in _FLOWS)


def render() -> str:
    """The picture, the same at every call."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Trust boundaries of an instrument and what flows through them">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path d="M0,0 L9,4 L0,8 z"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fbfcfd"/>',
    ]
    for x, y, width, height, name in _ZONES:
        parts.append(
            f'<rect class="zone" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'
        )
        parts.append(_text(x + 8, y + 17, name, "zonename"))
    for flow in _FLOWS:
        x1, y1, x2, y2 = flow.line
        parts.append(f'<path class="flow" d="M{x1},{y1} L{x2},{y2}"/>')
    for box in _BOXES:
        kind = "ours" if box.ours else "box"
        where = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
        parts.append(f'<rect class="{kind}" {where} rx="5"/>')
        parts.append(_text(box.x + 10, box.y + 20, box.title))
        parts.append(_text(box.x + 10, box.y + 37, box.below, "small"))
    for flow in _FLOWS:
        x, y = flow.at
        parts.append(_text(x, y - 13, flow.boundary, "zonename"))
        parts.append(_text(x, y, flow.what, "small"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: int, y: int, words: str, kind: str = "plain") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'
