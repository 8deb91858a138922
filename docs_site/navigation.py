"""Where each page of docs/ stands in the site: one table, that a test compares with docs/.

By the reader's question: learn it (tutorial), do something (how-to), look it up (reference),
understand it (explanation).
"""

from __future__ import annotations

from pathlib import Path

# Section -> group -> pages below docs/. A page's own heading is its name in the navigation.
SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "Tutorial": {"": ("tutorial.md",)},
    "How-to": {
        "Install and run": (
            "install.md",
            "setup.md",
            "service.md",
            "instruments.md",
            "arm64.md",
            "upgrading.md",
        ),
        "Publish": ("mqtt.md", "ecosystem.md", "fleet.md", "outbox.md", "door.md"),
        "Calibrate": ("bundles.md", "export.md", "transfer.md", "adaptation.md", "inference.md"),
        "Operate": ("page.md", "backup.md", "keys.md"),
        "Qualify": ("qualification.md", "soak.md"),
        "Train": ("training.md", "data.md"),
        "Make instruments": ("firmware.md",),
    },
    "Reference": {
        "": (
            "reference/commands.md",
            "reference/configuration.md",
            "faults.md",
            "payloads.md",
            "schemas/README.md",
            "commands.md",
            "reference/events.md",
            "reference/http.md",
            "protocol.md",
            "transfer-methods.md",
            "reference/python.md",
            "dependencies.md",
        ),
    },
    "Explanation": {
        "": ("science.md", "simulator.md", "physics.md", "benchmarks/README.md", "threat-model.md"),
    },
}
DECISIONS = "decisions"
HOME = "index.md"


def placed() -> list[str]:
    """Every page that the table names."""
    return [
        HOME,
        *(page for groups in SECTIONS.values() for pages in groups.values() for page in pages),
    ]


def navigation(docs: Path) -> list[object]:
    """The navigation as MkDocs takes it, of what is there; decision records by their number."""

    def there(pages: tuple[str, ...]) -> list[object]:
        return [page for page in pages if (docs / page).is_file()]

    sections: list[object] = [HOME]
    for title, groups in SECTIONS.items():
        inside: list[object] = []
        for group, pages in groups.items():
            inside += [{group: there(pages)}] if group else there(pages)
        sections.append({title: inside})
    records = sorted(p.name for p in (docs / DECISIONS).glob("[0-9]*.md"))
    names = ["README.md", *records]
    sections.append({"Decisions": [f"{DECISIONS}/{name}" for name in names]})
    return sections
