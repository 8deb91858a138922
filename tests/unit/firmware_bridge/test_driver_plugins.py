"""Drivers of other packages: the example installed for real, broken ones, and names that clash."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from firmware_bridge.drivers.driver import Driver
from firmware_bridge.drivers.registry import OWN, Broken, UnknownDriver, driver, everything, names
from firmware_bridge.virtual import PtyPort
from tests.drivers.cases import C12880MA_NM, CASES, EXAMPLE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
GOOD = "from c12880ma import DRIVER"


def wheel(folder: Path) -> Path:
    """The example's wheel from its pyproject.toml, as its build backend would make it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())
    about, target = project["project"], project["tool"]["hatch"]["build"]["targets"]["wheel"]
    name = about["name"].replace("-", "_")
    info = f"{name}-{about['version']}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in about["dependencies"])
    points = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in about["entry-points"].items()
    )
    files = {path: (EXAMPLE / path).read_bytes() for path in target["only-include"]}
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n{needs}"
    ).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = points.encode()
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()[:-1]},"
        f"{len(data)}\n"
        for path, data in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    found = folder / f"{name}-{about['version']}-py3-none-any.whl"
    with zipfile.ZipFile(found, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return found


def broken(name):
    return next(d for d in everything() if isinstance(d, Broken) and d.name == name)


SCAN = """
import json, sys
from firmware_bridge.drivers import registry
from firmware_bridge.drivers.driver import Place
from firmware_bridge.protocol import Configure, Position
found = registry.driver("c12880ma")
place = Place(sys.argv[1], found.bauds[0], wavelength_nm=tuple(json.loads(sys.argv[2])))
instrument = found.make(place)
identity = instrument.open()
instrument.configure(Configure(1000, 1, 1, Position.SAMPLE))
instrument.start(1)
received = instrument.read(30.0)
instrument.close()
module = sys.modules[found.make.__module__].__file__
print(json.dumps([registry.names(), module, identity.model, received.message.counts.tolist()]))
"""


def test_the_example_installed_reads_an_instrument(tmp_path):
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-compile", "--target", str(target)]
    subprocess.run([*pip, *options, str(wheel(tmp_path))], check=True)
    device = CASES["c12880ma"].device()
    # It prints from power-on, which is now and not when the machine was started.
    begun = time.monotonic()
    with PtyPort(device, clock=lambda: time.monotonic() - begun) as port:
        done = subprocess.run(
            [sys.executable, "-c", SCAN, port.url, json.dumps(C12880MA_NM)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(target), str(ROOT)))},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        listed, module, model, counts = json.loads(done.stdout)
        made = port.call(lambda: [c.tolist() for c in device.made.values()])
    assert listed == [*OWN, "c12880ma"]
    assert Path(module) == target / "c12880ma.py"
    assert model == "C12880MA"
    assert counts in made


def test_without_packages_there_are_our_own():
    assert [d.name for d in everything() if isinstance(d, Driver)][: len(OWN)] == list(OWN)
    assert all(driver(name).name == name for name in OWN)
    with pytest.raises(UnknownDriver, match=r"no driver 'none'; there are spektron, "):
        driver("none")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import there_is_no_such_module", "ModuleNotFoundError: No module named"),
        ("import sys; sys.exit('not here')", "SystemExit: not here"),
        ("1 / 0", "ZeroDivisionError"),
        ("DRIVER =", "SyntaxError"),
        ("OTHER = 1", "AttributeError"),
        ("DRIVER = 'a string'", "is 'a string', no Driver"),
        (GOOD, "calls itself 'c12880ma'"),
        (
            "from c12880ma import *; DRIVER = Driver('bad', 'x', ('9600',), 'x', 'x', make)",
            "ValueError: `bauds` is ('9600',)",
        ),
    ],
)
def test_a_driver_that_cannot_be_loaded_is_listed_as_such(package, source, why):
    package("bad_driver", source, "bad = bad_driver:DRIVER")
    assert "bad" in names()
    found = broken("bad")
    assert found.package == "bad_driver"
    assert why in found.why
    with pytest.raises(UnknownDriver, match=r"the driver 'bad' of bad_driver: "):
        driver("bad")
    # The others go on.
    assert {d.name for d in everything() if isinstance(d, Driver)} >= OWN.keys()


def test_a_package_whose_entry_points_cannot_be_read_breaks_no_other(package):
    package("unreadable", "", "garbage")
    package("sound", GOOD, "c12880ma = sound:DRIVER")
    assert driver("c12880ma").name == "c12880ma"
    assert "entry_points.txt cannot be read" in broken("unreadable").why
    with pytest.raises(UnknownDriver, match=r"no driver 'none'; .*unreadable: its entry_points"):
        driver("none")


def test_nor_does_it_keep_a_configuration_from_being_read(package, tmp_path):
    package("unreadable", "", "garbage")
    path = tmp_path / "edge.toml"
    path.write_text(
        'site = "plant"\ninstrument = "nir"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/ttyUSB0"\n[mqtt]\nurl = "mqtt://broker.example"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "spektron_edge", "check-config", path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_our_name_stays_ours_and_the_clash_is_told(package):
    package("rival", GOOD, "nirone = rival:DRIVER")
    assert driver("nirone").make.__module__ == "firmware_bridge.drivers.nirone"
    assert "our own driver has this name" in broken("nirone").why
    assert names().count("nirone") == 1


def test_of_two_packages_with_one_name_none_is_used(package):
    package("first", GOOD, "c12880ma = first:DRIVER")
    package("second", GOOD, "c12880ma = second:DRIVER")
    assert {d.package for d in everything() if isinstance(d, Broken)} == {"first", "second"}
    assert names().count("c12880ma") == 1
    with pytest.raises(UnknownDriver, match=r"has one of this name, too"):
        driver("c12880ma")
