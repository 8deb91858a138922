"""What a Debian package says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate

from deploy.environment.target import Target

NAME = "spektron-edge"
# Debian asks for an address; there is none that would be true.
MAINTAINER = "The Spektron Edge developers <spektron-edge@localhost>"
_PRE_RELEASE = re.compile(r"\.?(a|b|rc|dev)(\d+)")


@dataclass(frozen=True)
class Control:
    """version: the program's; revision: of the package, from 1."""

    version: str
    revision: int
    target: Target

    @property
    def debian_version(self) -> str:
        """Before its release sorts what is before it; the newer Python's package is the higher."""
        upstream = _PRE_RELEASE.sub(r"~\1\2", self.version)
        variant = "gpu" if self.target.gpu else ""
        return f"{upstream}-{self.revision}+{self.target.tag}{variant}"

    @property
    def file_name(self) -> str:
        """As dpkg-deb would call it."""
        return f"{NAME}_{self.debian_version}_{self.target.architecture}.deb"

    def changes(self, epoch: int) -> str:
        """Debian's changelog: of the package alone. epoch: seconds since 1970."""
        return f"""\
{NAME} ({self.debian_version}) stable; urgency=medium

  * Version {self.version}: changelog.gz beside this file says what is new.

 -- {MAINTAINER}  {formatdate(epoch)}
"""

    def text(self, installed_kb: int) -> str:
        """The control file. installed_kb: as dpkg counts."""
        major, minor = self.target.python.split(".")
        needs = [
            f"python3 (>= {self.target.python}~)",
            f"python3 (<< {major}.{int(minor) + 1}~)",
            "libc6 (>= 2.28)",
            "libstdc++6 (>= 8)",
            "libgcc-s1",
            "systemd",
            "init-system-helpers (>= 1.52)",
        ]
        return f"""\
Package: {NAME}
Version: {self.debian_version}
Architecture: {self.target.architecture}
Maintainer: {MAINTAINER}
Installed-Size: {installed_kb}
Depends: {", ".join(needs)}
Recommends: udev, ca-certificates
Suggests: mosquitto
Section: science
Priority: optional
Description: spectra in over a serial line, chemistry out over MQTT
 The software of a spectrometer's own computer: it reads raw counts, turns
 them into absorbance, runs a quantised model, says whether the calibration
 applies to the sample, keeps every result until the broker has acknowledged
 it, and publishes it. With the instrument's own page for browsers.
 .
 Its Python packages lie in /opt/spektron-edge and are those that it was tested
 with; the interpreter is the system's Python {self.target.python}.
"""
