"""All of it at once: broker, instrument, daemon and page, and a browser in front."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, expect

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.broker import free_port
from spektron_edge.demo.corn import load_corn
from spektron_edge.inference import load_model
from spektron_edge.page.first_boot import FILE
from spektron_edge.page.users import FOLDER
from spektron_edge.spectra.resampling import Resampler
from tests.adaptations import adapted, batch, put
from tests.integration.beam import Beam, fresh
from tests.integration.page_process import PageProcess
from tests.integration.rig import Mosquitto, Rig, listening, standard_settings, until

PASSWORD = "beam splitter 42"
CUPS = ("55", "75", "5", "16", "50")
# A fit is a child of the lowest priority.
PATIENCE_MS = 120_000
_MS = 20_000


@dataclass
class Bench:
    """rig: its daemon predicts; page: its process runs, and nobody has an account."""

    beam: Beam
    rig: Rig
    page: PageProcess

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.page.port}/"

    @property
    def code(self) -> str:
        """The first account's."""
        return (self.page.state_dir / FOLDER / FILE).read_text().strip()

    def place(self, cup: str) -> None:
        """Lay a cup in, and wait until scans are of it."""
        self.beam.place(cup)
        fresh(self.rig, 4)

    def propose(self) -> int:
        """An adaptation that waits for somebody; its number."""
        model, corn = load_model(read_bundle(shipped_bundle())), load_corn()
        resampler = Resampler.between(corn.axis_nm, model.product.grid.axis())
        spectra = np.array([resampler.apply(x) for x in corn.test.spectra["m5"][:4]])
        store = AdaptationStore(self.page.state_dir)
        serial = self.beam.port.device.serial
        return put(store, model, adapted(model), serial=serial, made_from=batch(spectra))


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """An instrument with a cup of corn in it, under a bundle that was calibrated on another."""
    broker = Mosquitto(folder)
    broker.start()
    beam = Beam(folder, "mp6", "VIRT-0006")
    rig = Rig(folder, beam.port, standard_settings(folder, broker.url))
    rig.settings["adaptation"] = {"mode": "propose", "approvals": 1}
    port = free_port()
    rig.settings["page"] = {"port": port}
    page = PageProcess(rig.config, port, folder / "state", people=())
    try:
        with listening(broker.port) as rig.subscriber:
            rig.start()
            page.start()
            until(lambda: rig.gather(rig.subscriber), "a prediction")
            yield Bench(beam, rig, page)
            assert page.stop() == 0
            assert rig.stop() == 0
    finally:
        page.end()
        rig.stop()
        beam.port.close()
        broker.kill()


class Visitor:
    """Somebody in front of the page. heard: what its console said that is an error."""

    def __init__(self, program: Browser, url: str, **shape: Any) -> None:
        self.context = program.new_context(locale="en-GB", accept_downloads=True, **shape)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(_MS)
        self.heard: list[str] = []
        self.page.on("pageerror", lambda error: self.heard.append(str(error)))
        self._url = url

    def first_account(self, code: str, name: str) -> None:
        """With the code that the device has printed."""
        self.page.goto(self._url)
        self.page.get_by_label("First-boot code").fill(code)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("New password").fill(PASSWORD)
        self.press("Make the account")
        self.page.locator("nav").wait_for()

    def sign_in(self, name: str) -> None:
        """With the one password of all."""
        self.page.goto(self._url)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")
        self.page.locator("nav").wait_for()

    def press(self, name: str) -> None:
        """A button by its words."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def go(self, view: str) -> None:
        """To a view, until it is whole."""
        self.page.evaluate("(hash) => { location.hash = hash; }", f"#/{view}")
        here = self.page.locator("nav a[aria-current=page]")
        expect(here).to_have_attribute("href", f"#/{view}")
        self.page.locator("main h1").wait_for()
        expect(self.page.locator("main .loading")).to_have_count(0)

    def sign(self, reason: str, meaning: str = "approved") -> None:
        """What the dialog asks for."""
        self.page.get_by_label("What your signature means").select_option(meaning)
        self.page.get_by_label("Reason").fill(reason)
        self.page.get_by_label("Your password").fill(PASSWORD)
        self.press("Sign")
        expect(self.page.locator("dialog")).to_have_count(0)

    def measure_cups(self, found: Bench, pictured: Any = None) -> None:
        """The guided transfer, as far as cups go. pictured: called before the fourth."""
        self.go("transfer")
        self.page.get_by_label("Numbers on the cups").fill(", ".join(CUPS))
        self.press("Begin the transfer")
        for count in range(len(CUPS)):
            expect(self.page.get_by_text(f"{count} of {len(CUPS)} measured.")).to_be_visible()
            cup = self.page.locator(".cup").inner_text()
            found.place(cup)
            if pictured is not None and count == 3:
                pictured()
            self.press("The cup is in place: measure it")
            self.page.get_by_text(
                re.compile(f"Sample {cup} is measured\\.|{cup}.*good")
            ).first.wait_for()
            self.page.get_by_text(f"{count + 1} of {len(CUPS)} measured.").wait_for()

    def compute(self) -> None:
        """The error to be expected; nothing changes."""
        self.press("Compute the error")
        self.page.locator("button", has_text="Use this transfer").wait_for(timeout=PATIENCE_MS)
