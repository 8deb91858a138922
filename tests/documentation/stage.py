"""Where the commands of the documentation run: instrument, broker, daemon, files they name."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from firmware_bridge.virtual import Optics, PtyPort, VirtualSpectrometer
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.command_names import COMMANDS
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.broker import free_port
from spektron_edge.inference import load_model
from tests import adaptations, signers
from tests.integration.beam import Beam
from tests.integration.rig import Mosquitto, Rig, standard_settings, until

from .blocks import ROOT, Command
from .terminal import Terminal


class Stage(Terminal):
    """One instrument with its daemon; commands run in its folder, in the order of a page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._broker = Mosquitto(folder)
        self._broker.start()
        beam = Beam(folder, "m5")
        beam.place("55")
        self._ports = [beam.port, _spare(folder / "spare", beam)]
        self.rig = Rig(folder, beam.port)

    def prepare(self) -> None:
        """Write what the commands find: bundles, keys, a configuration, adaptations that wait."""
        key = signers.key(self.folder, "vendor")
        signers.trusting(self.folder / "etc" / "trust", key)
        shipped = read_bundle(shipped_bundle())
        for version in (1, 2, 4):
            path = self.folder / f"corn-{version}.spektron"
            manifest = shipped.manifest.model_copy(update={"version": version})
            write_bundle(path, manifest, shipped.members)
            signers.sign(path, key)
        shutil.copy(shipped_bundle(), self.folder / "corn.spektron")
        (self.folder / "backups").mkdir()
        (self.folder / "secret").write_text("a passphrase of some words\n")
        self.rig.settings = standard_settings(self.folder, self._broker.url) | {
            "trust": {"keys": str(self.folder / "etc" / "trust")},
            "adaptation": {"mode": "propose"},
            "page": {"port": free_port()},
        }
        self.rig.settings[""]["bundle"] = "slots"
        for operator in ("anna", "bert", "eve"):
            self.rig.allow(operator, *COMMANDS)
        config = self.rig.config
        for words in (["install", str(self.folder / "corn-1.spektron")], ["activate", "a"]):
            status, said = self.once(["spektron-edge", "bundle", *words, "--config", str(config)])
            assert status == 0, said
        model = load_model(read_bundle(self.folder / "corn-1.spektron"))
        spectra = shipped.arrays(model.product.source)["x"][:6]
        store = AdaptationStore(self.folder / "state")
        for _ in range(3):
            adaptations.put(store, model, made_from=adaptations.batch(spectra))

    def run(self, command: Command) -> str:
        """Run it."""
        if command.words[1:3] in (("transfer", "start"), ("command", "transfer-start")):
            # Whatever another page has begun.
            self.once(["spektron-edge", "transfer", "discard", "--config", "spektron.toml"])
        return super().run(command)

    def begin(self, words: list[str]) -> None:
        """A daemon that measures, and hears commands."""
        super().begin(words)
        if words[1] == "run":
            health = ("command", "health", "--operator", "anna", "--timeout", "1")
            asked = ["spektron-edge", *health, "--config", "spektron.toml"]
            until(lambda: self.once(asked)[0] == 0, "the daemon's answer")

    def begin_daemon(self) -> None:
        """Where a page takes one for granted."""
        if "run" not in self.under_way:
            self.begin(["spektron-edge", "run", "--config", "spektron.toml"])

    def here(self, word: str) -> str:
        """The documentation's places and examples, as they are on this stage."""
        if re.fullmatch(r"[0-9a-f]{4}\.\.\.", word):
            return self._audit_head()
        places = {
            "/dev/ttyUSB0": self.folder / "spare",
            "/var/lib/spektron": self.folder / "state",
            "/etc/spektron": self.folder / "etc",
            "/tmp/instrument": self.folder / "another",
            "deploy/": f"{ROOT / 'deploy'}{os.sep}",
        }
        for place, here in places.items():
            if word.startswith(place):
                return f"{here}{word.removeprefix(place)}"
        return word

    def close(self) -> None:
        """End everything."""
        try:
            super().close()
        finally:
            for port in self._ports:
                port.close()
            self._broker.kill()

    def _audit_head(self) -> str:
        asked = ["spektron-edge", "audit", "verify", "--config", "spektron.toml", "--json"]
        status, said = self.once(asked)
        assert status == 0, said
        return str(json.loads(said)["head"])


def _spare(link: Path, beam: Beam) -> PtyPort:
    """A second instrument, that no daemon holds."""
    corn = beam.corn.test
    device = VirtualSpectrometer(corn.spectra["m5"], corn.axis_nm, Optics(), serial="SPARE-1")
    return PtyPort(device, link=link)
