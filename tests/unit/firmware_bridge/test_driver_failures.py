"""Code of other packages that fails: when it is made, in use, and as the commands tell it."""

import queue

import pytest

from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.registry import driver
from firmware_bridge.errors import DriverFailed
from firmware_bridge.intake import LinkCounters
from firmware_bridge.virtual import PtyPort
from spektron_edge.cli.main import main
from spektron_edge.clock import Clock
from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised
from spektron_edge.instrument.settings import Settings
from spektron_edge.instrument.thread import InstrumentThread

DRIVER = "DRIVER = Driver('theirs', 'x', (9600,), 'x', 'x', make)\n"
IMPORTS = "import sys\nfrom firmware_bridge.drivers.driver import Driver\n"
MADE_WRONG = {
    "raises": ("raise RuntimeError('boom')", "`make` raised RuntimeError: boom"),
    "leaves": ("sys.exit('enough')", "`make` raised SystemExit: enough"),
    "makes nothing": ("return None", "`make` gave None, which has no open"),
}
# The dialect's steps; an instrument that says nothing right.
DIALECT = """
from firmware_bridge.drivers.single import SingleExposures
class Theirs:
    anonymous = True
    def identify(self):
        {step}
        yield
def make(place):
    return SingleExposures(Theirs, place.url, place.baud)
"""
ODD = """
class Odd:
    counters = property(lambda self: 1 / 0)
    def open(self): return "me"
    def close(self): 1 / 0
    def configure(self, settings): raise KeyError("averages")
    def start(self, count=0): raise ValueError("a value")
    def stop(self): 1 / 0
    def ping(self): return None
    def longest_s(self, settings): return "long"
    def read(self, timeout_s): return 7
def make(place):
    return Odd()
"""
CONFIG = """
site = "plant-1"
instrument = "nir.2"
state_dir = "state"
[serial]
url = "{url}"
driver = "theirs"
[mqtt]
url = "mqtt://broker.example"
"""


def make_of(body):
    return f"def make(place):\n    {body}\n"


@pytest.fixture
def theirs(package):
    def put(source):
        package("their_package", f"{IMPORTS}{source}{DRIVER}", "theirs = their_package:DRIVER")
        return driver("theirs")

    return put


@pytest.mark.parametrize("body", MADE_WRONG)
def test_what_make_raises_is_told_with_driver_and_package(theirs, body, tmp_path, capsys):
    source, told = MADE_WRONG[body]
    found = theirs(make_of(source))
    with pytest.raises(DriverFailed, match="the driver 'theirs' of their_package: ") as caught:
        found.make(Place("/dev/ttyUSB0", 9600))
    assert told in str(caught.value)
    path = tmp_path / "edge.toml"
    path.write_text(CONFIG.format(url="/dev/ttyUSB0"))
    with pytest.raises(Fault) as fault:
        load_config(path)
    assert fault.value.kind is Faults.DRIVER_FAILED
    assert main(["check-config", str(path)]) == Faults.DRIVER_FAILED.value.exit_status
    assert told in capsys.readouterr().err


def test_what_a_place_lacks_is_still_the_configurations_to_say(theirs, tmp_path):
    theirs(make_of("raise ValueError('needs a name')"))
    path = tmp_path / "edge.toml"
    path.write_text(CONFIG.format(url="/dev/ttyUSB0"))
    with pytest.raises(Fault, match="needs a name") as fault:
        load_config(path)
    assert fault.value.kind is Faults.CONFIG_INVALID


@pytest.mark.parametrize("step", ["1 / 0", "raise SystemExit(3)", "yield 'not a step'"])
def test_a_dialect_that_fails_is_an_event_of_its_own(theirs, make_device, step):
    theirs(DIALECT.format(step=step))
    said: queue.Queue = queue.Queue()
    with PtyPort(make_device()) as port:
        settings = Settings(Serial(url=port.url, driver="theirs"), Acquisition(), port.url)
        thread = InstrumentThread(settings, Clock(), said.put)
        thread.start()
        first, again = (said.get(timeout=60.0) for _ in range(2))
        thread.halt()
        thread.join(60.0)
    for item in (first, again):
        assert isinstance(item, FaultRaised)
        assert item.fault.kind is Faults.DRIVER_FAILED
        assert "the driver 'theirs' of their_package: `open` raised" in item.fault.detail


def test_every_step_is_guarded(theirs):
    odd = theirs(ODD).make(Place("/dev/ttyUSB0", 9600))
    assert odd.counters == LinkCounters()
    odd.close()
    steps = {
        "open": (odd.open, "gave 'me'"),
        "configure": (lambda: odd.configure(None), "raised KeyError: 'averages'"),
        "start": (odd.start, "raised ValueError: a value"),
        "stop": (odd.stop, "raised ZeroDivisionError"),
        "ping": (odd.ping, "gave None"),
        "longest_s": (lambda: odd.longest_s(None), "gave 'long'"),
        "read": (lambda: odd.read(0.0), "gave 7"),
    }
    for name, (step, told) in steps.items():
        with pytest.raises(DriverFailed, match=f"of their_package: `{name}` {told}"):
            step()


@pytest.mark.parametrize(
    "source", [make_of("raise RuntimeError('boom')"), DIALECT.format(step="1 / 0")]
)
def test_probe_tells_it_and_goes_on(theirs, make_device, source, capsys):
    theirs(source)
    with PtyPort(make_device()) as port:
        arguments = ["probe", port.url, "--driver", "theirs", "--driver", "spektron", "--json"]
        assert main(arguments) == 0
    told = capsys.readouterr()
    assert '"driver": "spektron"' in told.out
    assert "of their_package: " in told.err


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("bauds", ("9600",)),
        ("bauds", [9600]),
        ("bauds", (0,)),
        ("needs", ("nonsense",)),
        ("takes", "serial"),
        ("needs", ("model",)),
        ("models", (1,)),
        ("integration_step_us", 0),
        ("integration_step_us", 1.5),
        ("make", "a name"),
        ("source", 3),
    ],
)
def test_fields_that_cannot_be_are_refused(field, value):
    sound = {"name": "x", "instruments": "x", "bauds": (9600,), "source": "x", "tested": "x"}
    sound |= {"make": print}
    Driver(**sound)
    with pytest.raises(ValueError, match=f"`{field}`"):
        Driver(**sound | {field: value})
