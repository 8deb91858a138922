"""Reports as docs/qualification-*.png and the page's view of them as docs/page/qualification-*.png,
of a virtual instrument: part of `make screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser

from spektron_edge.config.loading import load_config
from spektron_edge.demo.broker import free_port
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.page.first_boot import FILE
from spektron_edge.page.users import FOLDER
from spektron_edge.qualification.bench import Bench
from spektron_edge.qualification.book import Book, BookStore
from spektron_edge.qualification.conduct import Conduct, Person
from spektron_edge.qualification.keeping import Done
from spektron_edge.qualification.measuring import Answer, Step
from spektron_edge.qualification.plan import read_plan
from spektron_edge.qualification.references import read_references
from tests.integration.page_bench import Visitor
from tests.integration.page_process import PageProcess
from tests.integration.qualified import Hand, write_plan
from tests.integration.rig import Rig, instrument, standard_settings, until
from tests.page_browser import chromium
from tests.page_pictures import camera

DOCS = Path(__file__).resolve().parents[1] / "docs"
_WIDTH, _HEIGHT = 1000, 1250
_WEEKS = 14


class _Weekly(Hand):
    """A control sample that is never quite the same, and once another one."""

    week = 0

    def place(self, step: Step, number: int, of: int) -> Answer:
        self.asked.append(step.key)
        other = self._corn.spectra["m5"][7] - self.rows(step.key)[0]
        share = 1.0 if self.week == 9 else 0.04 * np.sin(2.4 * self.week)
        self.lay(self.rows(step.key) + share * other)
        return "measure"


def pictures() -> None:
    """Of an operational qualification, a comparison with reference values, and the page."""
    with tempfile.TemporaryDirectory() as name, chromium() as program:
        folder, port = Path(name), free_port()
        rig = Rig(folder, instrument(folder), standard_settings(folder, "mqtt://127.0.0.1:1"))
        assert rig.port is not None
        rig.settings |= {"page": {"port": port}, "qualification": {"every": "7d"}}
        page = PageProcess(rig.config, port, folder / "state", people=())
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
            weekly = _Weekly(rig.port)
            for weekly.week in range(_WEEKS):
                conduct.control(plan, weekly)
            _weeks_apart(BookStore(folder / "state"))
            page.start()
            _on_the_page(program, page)
        finally:
            page.end()
            rig.stop()
            rig.port.close()


def _weeks_apart(store: BookStore) -> None:
    """As if each had been made a week after the one before, the last one now."""

    def dated(book: Book) -> Book:
        last = len(book.runs) - 1
        runs = (
            run.model_copy(update={"utc_s": run.utc_s - (last - i) * 7 * 86_400.0})
            for i, run in enumerate(book.runs)
        )
        return book.model_copy(update={"runs": tuple(runs)})

    store._ledger.update(dated)


def _on_the_page(program: Browser, page: PageProcess) -> None:
    url = f"http://127.0.0.1:{page.port}/"
    anna = Visitor(program, url)
    anna.first_account((page.state_dir / FOLDER / FILE).read_text().strip(), "anna")
    camera(program, url, anna, DOCS / "page")("qualification")


if __name__ == "__main__":
    pictures()
