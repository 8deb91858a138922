"""Where the commands of the documentation run: instrument, broker, daemon, and the files they name."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from firmware_bridge.virtual import Optics, PtyPort, VirtualSpectrometer
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.cli.main import main
from spektron_edge.command_names import COMMANDS
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.broker import free_port
from spektron_edge.files.audit import check
from spektron_edge.files.state_folder import AUDIT_FILE
from spektron_edge.inference import load_model
from tests import adaptations, signers
from tests.integration.beam import Beam
from tests.integration.rig import Mosquitto, Rig, standard_settings

from .blocks import ROOT, Command

PATIENCE_S = 60.0
# What stays, until it is told to end.
_LASTING = ("run", "simulate", "page", "record")


class Stage:
    """One instrument with its daemon; commands run in its folder, in the order of a page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lasting: dict[str, subprocess.Popen[bytes]] = {}
        self._broker = Mosquitto(folder)
        self._broker.start()
        beam = Beam(folder, "m5")
        beam.place("55")
        self._ports = [beam.port, _spare(folder / "spare", beam)]
        self.rig = Rig(folder, beam.port)
        self._write_files()

    def _write_files(self) -> None:
        """What the pages' commands find: bundles, keys, a configuration, adaptations that wait."""
        key = signers.key(self.folder, "vendor")
        signers.trusting(self.folder / "etc" / "trust", key)
        shipped = read_bundle(shipped_bundle())
        for version in (1, 2, 4):
            path = self.folder / f"corn-{version}.spektron"
            manifest = shipped.manifest.model_copy(update={"version": version})
            write_bundle(path, manifest, shipped.members)
            signers.sign(path, key)
        shutil.copy(shipped_bundle(), self.folder / "corn.spektron")
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
        shutil.copy(config, self.folder / "edge.toml")
        for words in (["install", str(self.folder / "corn-1.spektron")], ["activate", "a"]):
            status, said = self._once(["spektron-edge", "bundle", *words, "--config", str(config)])
            assert status == 0, said
        model = load_model(read_bundle(self.folder / "corn-1.spektron"))
        spectra = shipped.arrays(model.product.source)["x"][:6]
        store = AdaptationStore(self.folder / "state")
        for _ in range(3):
            adaptations.put(store, model, made_from=adaptations.batch(spectra))

    def run(self, command: Command) -> None:
        """Run it to its end, or begin what lasts. What fails is tried again, as a reader would."""
        words = [self._here(word) for word in command.words]
        if words[0] == "spektron-edge" and words[1] in _LASTING:
            self._begin(words)
            return
        if words[1:3] in (["transfer", "start"], ["command", "transfer-start"]):
            # Whatever another page has begun.
            self._once(["spektron-edge", "transfer", "discard", "--config", "spektron.toml"])
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status, said = self._once(words)
            if status == 0:
                return
            assert time.monotonic() < deadline, f"{command.where}: {status}\n{said}"
            time.sleep(0.5)

    def _once(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "spektron-edge":
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = main(words[1:])
            return status, said.getvalue()
        done = subprocess.run(
            self._program(words), cwd=self.folder, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def _begin(self, words: list[str]) -> None:
        """One of each at a time: what is begun again ends the one before."""
        self.end(words[1])
        with (self.folder / f"{words[1]}.log").open("ab") as log:
            self._lasting[words[1]] = subprocess.Popen(
                self._program(words), cwd=self.folder, stdout=log, stderr=log
            )

    def end(self, what: str) -> None:
        """As Ctrl-C does."""
        process = self._lasting.pop(what, None)
        if process is None:
            return
        assert process.poll() is None, f"`{what}` ended: {(self.folder / f'{what}.log').read_text()}"
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)

    def begin_daemon(self) -> None:
        """Where a page takes one for granted."""
        if "run" not in self._lasting:
            self._begin(["spektron-edge", "run", "--config", "spektron.toml"])

    def close(self) -> None:
        """End all that runs."""
        try:
            for what in list(self._lasting):
                self.end(what)
        finally:
            for process in self._lasting.values():
                process.kill()
            for port in self._ports:
                port.close()
            self._broker.kill()

    def _program(self, words: list[str]) -> list[str]:
        modules = {"spektron-edge": "spektron_edge"}
        modules |= {f"spektron-{name}": f"spektron_{name}" for name in ("train", "export")}
        if words[0] in modules:
            return [sys.executable, "-m", modules[words[0]], *words[1:]]
        return [sys.executable, *words[1:]] if words[0] == "python" else words

    def _here(self, word: str) -> str:
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

    def _audit_head(self) -> str:
        return check(self.folder / "state" / AUDIT_FILE, None, None).head


def _spare(link: Path, beam: Beam) -> PtyPort:
    """A second instrument, that no daemon holds."""
    corn = beam.corn.test
    device = VirtualSpectrometer(corn.spectra["m5"], corn.axis_nm, Optics(), serial="SPARE-1")
    return PtyPort(device, link=link)
