"""Two reports as docs/qualification-*.png, of a virtual instrument: part of `make screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from spektron_edge.config.loading import load_config
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.qualification.bench import Bench
from spektron_edge.qualification.conduct import Conduct, Person
from spektron_edge.qualification.keeping import Done
from spektron_edge.qualification.plan import read_plan
from spektron_edge.qualification.references import read_references
from tests.integration.qualified import Hand, write_plan
from tests.integration.rig import Rig, instrument, standard_settings, until
from tests.page_browser import chromium

DOCS = Path(__file__).resolve().parents[1] / "docs"
_WIDTH, _HEIGHT = 1000, 1250


def pictures() -> None:
    """Of an operational qualification, and of a comparison with reference values."""
    with tempfile.TemporaryDirectory() as name, chromium() as program:
        folder = Path(name)
        rig = Rig(folder, instrument(folder), standard_settings(folder, "mqtt://127.0.0.1:1"))
        assert rig.port is not None
        rig.start()
        try:
            until(lambda: (folder / "state" / DOOR_FILE).exists(), "the door")
            until(lambda: Bench(folder / "state").look().newest, "a prediction")
            plan, hand = read_plan(write_plan(folder)), Hand(rig.port)
            person = Person("anna", "logged in on the device as anna", "new instrument")
            conduct = Conduct(load_config(rig.config), rig.config, person)
            references = read_references(hand.references(folder / "laboratory.csv", 12))
            done: dict[str, Done] = {
                "oq": conduct.operation(plan, hand),
                "pq": conduct.comparison(plan, references, hand),
            }
            for kind, found in done.items():
                view = program.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
                view.goto(found.page.as_uri())
                view.screenshot(path=DOCS / f"qualification-{kind}.png", full_page=kind == "pq")
                view.close()
        finally:
            rig.stop()
            rig.port.close()


if __name__ == "__main__":
    pictures()
