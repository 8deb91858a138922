from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_bridge.drivers.registry import driver, names
from spektron_edge.config.file import shipped_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults

MINIMAL = """
site = "plant-1"
instrument = "nir.2"
state_dir = "state"
[serial]
url = "/dev/ttyUSB0"
[mqtt]
url = "mqtt://broker.example"
"""


@pytest.fixture
def load(tmp_path):
    def make(text):
        path = tmp_path / "edge.toml"
        path.write_text(text, "utf-8")
        return load_config(path)

    return make


def refusal(load, text) -> str:
    with pytest.raises(Fault) as caught:
        load(text)
    assert caught.value.kind is Faults.CONFIG_INVALID
    return caught.value.detail


def replaced(old, new):
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def test_five_lines_are_enough(load, tmp_path):
    config = load(MINIMAL)
    assert config.state_dir == tmp_path / "state"
    assert config.bundle_path == shipped_bundle()
    assert config.bundle_path.is_file()
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls) == ("broker.example", 1883, False)
    assert (config.serial.driver, config.serial.place.baud) == ("spektron", 921600)
    assert config.acquisition.automatic_references
    assert config.commands.operators == ()
    assert config.precision is None
    assert (config.adaptation.mode, config.adaptation.approvals) == ("frozen", 1)


def test_every_section_can_be_given(load, tmp_path):
    config = load(
        """
        site = "s"
        instrument = "i"
        state_dir = "/var/lib/spektron"
        bundle = "b.spektron"
        product = "corn"
        precision = "fp32"
        [serial]
        url = "socket://host:4000"
        baud = 9600
        silence_s = 1.5
        [acquisition]
        integration_us = 500
        averages = 4
        reference_averages = 8
        dark_max_age_s = 60
        white_max_age_s = 30.5
        automatic_references = false
        queue_scans = 3
        [mqtt]
        url = "mqtts://[::1]:9883"
        protocol = "3.1.1"
        client_id = "me"
        username = "u"
        password_file = "secret"
        ca_file = "/etc/ca.pem"
        keepalive_s = 10
        in_flight = 5
        [outbox]
        max_mb = 1.5
        keep_sent_mb = 0
        [[commands.operators]]
        name = "anna"
        key_file = "keys/anna"
        may = ["health", "reload"]
        [adaptation]
        mode = "propose"
        approvals = 2
        [log]
        format = "json"
        level = "debug"
        """
    )
    assert config.state_dir == Path("/var/lib/spektron")
    assert config.bundle_path == tmp_path / "b.spektron"
    assert config.mqtt.password_file == tmp_path / "secret"
    assert config.mqtt.ca_file == Path("/etc/ca.pem")
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls) == ("::1", 9883, True)
    assert config.commands.operators[0].key_file == tmp_path / "keys/anna"
    assert config.acquisition.white_max_age_s == 30.5
    assert (config.adaptation.mode, config.adaptation.approvals) == ("propose", 2)
    assert config.log.format == "json"


def test_relative_paths_belong_to_the_file_s_folder_not_to_the_working_one(
    load, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "edge.toml").write_text(MINIMAL)
    monkeypatch.chdir(elsewhere)
    assert load_config(Path("../edge.toml")).state_dir == tmp_path / "state"


@pytest.mark.parametrize(
    ("url", "port"),
    [("mqtt://h", 1883), ("mqtts://h", 8883), ("mqtt://h:1", 1), ("mqtts://h:65535", 65535)],
)
def test_the_port_comes_from_the_url_or_its_scheme(load, url, port):
    assert load(replaced("mqtt://broker.example", url)).mqtt.port == port


@pytest.mark.parametrize(
    ("text", "named", "meant"),
    [
        ("instument = 'x'\n" + MINIMAL, "instument", "instrument"),
        (MINIMAL + "keepalive = 3\n", "mqtt.keepalive", "keepalive_s"),
        (MINIMAL + "[acquisition]\nintegration = 3\n", "acquisition.integration", "integration_us"),
        (MINIMAL + "[outbox]\nmax_md = 3\n", "outbox.max_md", "max_mb"),
        (MINIMAL + "[aquisition]\n", "aquisition", "acquisition"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(load, text, named, meant):
    message = refusal(load, text)
    assert f"unknown key {named} " in message
    assert f"did you mean '{meant}'?" in message


def test_a_key_that_resembles_nothing_is_just_named(load):
    message = refusal(load, MINIMAL + "[log]\nzzz = 1\n")
    assert message.endswith("unknown key log.zzz")


def test_an_unknown_key_of_an_operator_is_named(load):
    text = MINIMAL + "[[commands.operators]]\nname='a'\nkey_file='k'\nmay=[]\nkey='x'\n"
    assert "unknown key commands.operators.0.key" in refusal(load, text)


def test_every_wrong_key_is_named_at_once(load):
    message = refusal(load, replaced('site = "plant-1"', "") + "in_flight = 0\nport = 1\n")
    assert "site: Field required" in message
    assert "mqtt.in_flight" in message
    assert "mqtt.port" in message


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (replaced("plant-1", "plant/1"), "site"),
        (replaced("plant-1", "+"), "site"),
        (replaced("plant-1", "a" * 65), "site"),
        (replaced("nir.2", ""), "instrument"),
        (replaced('url = "/dev/ttyUSB0"', ""), "serial.url"),
        (replaced('url = "/dev/ttyUSB0"', 'url = "/dev/x"\nbaud = 299'), "serial.baud"),
        (replaced('url = "/dev/ttyUSB0"', 'url = "/dev/x"\nbaud = "fast"'), "serial.baud"),
        (replaced('url = "/dev/ttyUSB0"', 'url = "/dev/x"\nsilence_s = 0'), "silence_s"),
        (replaced('url = "/dev/ttyUSB0"', 'url = "/dev/x"\ndriver = "x"'), "no driver 'x'"),
        (
            replaced('url = "/dev/ttyUSB0"', 'url = "/dev/x"\nwavelength_nm = [1.0]'),
            "wavelength_nm",
        ),
        (replaced('url = "/dev/ttyUSB0"', 'url = "/dev/x"\nsilence_s = inf'), "silence_s"),
        (MINIMAL + "[acquisition]\nwhite_max_age_s = nan\n", "white_max_age_s"),
        (MINIMAL + "[acquisition]\naverages = 0\n", "acquisition.averages"),
        (MINIMAL + "[outbox]\nmax_mb = inf\n", "outbox.max_mb"),
        (MINIMAL + "[outbox]\nmax_mb = 0\n", "outbox.max_mb"),
        (MINIMAL + "[outbox]\nmax_mb = 1e308\n", "outbox.max_mb"),
        (MINIMAL + "[acquisition]\nintegration_us = 4294967296\n", "integration_us"),
        (MINIMAL + f"client_id = '{'x' * 65536}'\n", "mqtt.client_id"),
        (MINIMAL + f"username = '{'x' * 65536}'\n", "mqtt.username"),
        (MINIMAL + "[outbox]\nkeep_sent_mb = -1\n", "outbox.keep_sent_mb"),
        (MINIMAL + "protocol = '4'\n", "mqtt.protocol"),
        (MINIMAL + "[log]\nlevel = 'loud'\n", "log.level"),
        (MINIMAL + "[adaptation]\nmode = 'learn'\n", "adaptation.mode"),
        (MINIMAL + "[adaptation]\napprovals = 3\n", "adaptation.approvals"),
        (MINIMAL + "[adaptation]\napprovals = 0\n", "adaptation.approvals"),
        ("precision = 'int4'\n" + MINIMAL, "precision"),
        (MINIMAL + "[[commands.operators]]\nname='a'\nkey_file='k'\nmay=['reboot']\n", "may"),
        (MINIMAL + "[[commands.operators]]\nname='a b'\nkey_file='k'\nmay=[]\n", "name"),
        ("serial = 5\nsite = 's'\n", "serial"),
    ],
)
def test_a_wrong_value_is_named(load, text, where):
    assert where in refusal(load, text)


@pytest.mark.parametrize(
    "url",
    [
        "broker",
        "http://broker",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://host:99999",
        "mqtt://host:abc",
        "mqtt://[::1",
        "mqtt://a..b",
        "",
    ],
)
def test_a_broker_url_that_cannot_work_is_refused(load, url):
    assert "mqtt.url" in refusal(load, replaced("mqtt://broker.example", url))


@pytest.mark.parametrize("user", ["anna", "anna:s3cret", ":s3cret"])
def test_credentials_in_the_url_are_refused_and_not_repeated(load, user):
    message = refusal(load, replaced("mqtt://broker", f"mqtt://{user}@broker"))
    assert "password_file" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("content", [b"site = ", b"\xff\xfe", b"site = 'a'\nsite = 'b'\n"])
def test_what_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "edge.toml"
    path.write_bytes(content)
    with pytest.raises(Fault, match="is not TOML"):
        load_config(path)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(Fault) as caught:
        load_config(tmp_path / name)
    assert caught.value.kind is Faults.CONFIG_INVALID
    assert "cannot read" in caught.value.detail


def test_two_operators_of_one_name_are_refused(load):
    one = "[[commands.operators]]\nname='a'\nkey_file='k'\nmay=[]\n"
    assert "share a name" in refusal(load, MINIMAL + one + one)


@pytest.mark.parametrize("number", [r"S\u0000", r"\u001b]0;S\u0007", r"\u202e", "  "])
def test_a_serial_number_is_printable(load, number):
    url = 'url = "/dev/ttyUSB0"'
    driver = f'driver = "tcd1304"\nwavelength_nm = [900.0, 1.0]\nserial_number = "{number}"'
    assert "printable" in refusal(load, replaced(url, f"{url}\n{driver}"))


KEYS = {"serial_number": '"S1"', "model": '"Flame-S"', "wavelength_nm": "[900.0, 1.0]"}


@pytest.mark.parametrize("name", names())
def test_a_key_that_the_driver_does_not_use_is_refused(load, name):
    of_place = {"serial_number": "serial", "model": "model", "wavelength_nm": "wavelength_nm"}
    used = driver(name)
    needed = {key for key, place in of_place.items() if place in used.needs}
    taken = {key for key, place in of_place.items() if place in (*used.needs, *used.takes)}

    def serial(keys, **more):
        lines = [f"{key} = {value}" for key, value in (KEYS | more).items() if key in keys]
        url = 'url = "/dev/ttyUSB0"'
        return replaced(url, "\n".join([url, f'driver = "{name}"', *lines]))

    model = {"model": f'"{used.models[-1]}"' if used.models else '"STS"'}
    load(serial(taken, **model))
    for key in KEYS.keys() - taken:
        assert f"does not use `{key}`" in refusal(load, serial(needed | {key}, **model))
    bauds = serial({*needed, "baud"}, baud="9600", **model)
    if used.bauds:
        load(bauds)
    else:
        assert "does not use `baud`" in refusal(load, bauds)


@pytest.mark.parametrize("coefficients", ["[1000.0, -1.0]", "[1000.0, 0.0]", "[1000.0, 1.0, -2.0]"])
@pytest.mark.parametrize("section", ["serial", "acquisition"])
def test_wavelengths_that_do_not_rise(load, coefficients, section):
    line = f"wavelength_nm = {coefficients}"
    if section == "serial":
        url = 'url = "/dev/ttyUSB0"'
        text = replaced(url, f'{url}\ndriver = "tcd1304"\nserial_number = "S"\n{line}')
    else:
        text = f"{MINIMAL}[acquisition]\n{line}\n"
    assert f"{section}.wavelength_nm: " in (told := refusal(load, text))
    assert "does not rise" in told


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (None, "cannot read"),
        ("", "has 0 pixels"),
        ("0,900\n2,902\n", "expected each from 0 on once"),
        ("0,900\n1,899\n", "does not increase"),
    ],
)
def test_an_axis_file_is_read_with_the_configuration(load, tmp_path, table, why):
    text = f'{MINIMAL}[acquisition]\naxis_file = "axis.csv"\n'
    if table is not None:
        (tmp_path / "axis.csv").write_text(table)
    assert why in (told := refusal(load, text))
    assert "acquisition.axis_file" in told
    (tmp_path / "axis.csv").write_text("0,900\n1,901\n")
    assert load(text).acquisition.axis_file == tmp_path / "axis.csv"


@pytest.mark.parametrize("kind", ["/dev/zero", "pipe", "folder", "large"])
def test_an_axis_file_that_is_no_table_is_not_read_to_its_end(load, tmp_path, kind):
    path = Path(kind)
    if kind != "/dev/zero":
        path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b" " * 4_000_001)
    told = refusal(load, f'{MINIMAL}[acquisition]\naxis_file = "{path}"\n')
    assert ("is larger than 4000000 bytes" if kind == "large" else "is no file") in told


def test_nothing_is_told_in_words_of_the_library(load):
    told = refusal(load, f"{MINIMAL}[acquisition]\nbad_ranges_nm = [[2.0, 1.0]]\n")
    assert "acquisition.bad_ranges_nm.0: a range is two wavelengths" in told
    assert "Value error" not in told


@pytest.mark.parametrize("coefficients", ["[]", "[-1.0]", "[0.0]", "[0.0, 1e-6]"])
def test_a_nonlinearity_that_divides_by_nothing(load, coefficients):
    told = refusal(load, f"{MINIMAL}[acquisition]\nnonlinearity = {coefficients}\n")
    assert "acquisition.nonlinearity" in told
    load(f"{MINIMAL}[acquisition]\nnonlinearity = [0.98, 1e-6, -1e-12]\n")


def test_an_integration_that_the_driver_cannot_set(load):
    url = 'url = "/dev/ttyUSB0"'
    keys = 'driver = "ocean-sad500"\nmodel = "Flame-S"\nwavelength_nm = [348.1, 0.378]'
    text = replaced(url, f"{url}\n{keys}")
    assert "multiples of 1000, not 1500" in refusal(
        load, f"{text}[acquisition]\nintegration_us = 1500\n"
    )
    load(f"{text}[acquisition]\nintegration_us = 2000\n")


@pytest.mark.parametrize(
    ("driver", "model", "integration_us", "limits"),
    [
        ("ocean-sad500", "Flame-S", 70_000_000, "1000 to 65535000"),
        ("ocean-sad500", "S2000", 1_000, "5000 to 65535000"),
        ("ocean-obp", "HDX", 1_000, "6000 to 10000000"),
        ("tcd1304", None, 2**32 - 1, "10 to 2147483647"),
    ],
)
def test_an_integration_beyond_the_model(load, driver, model, integration_us, limits):
    keys = f'driver = "{driver}"\n' + (f'model = "{model}"\n' if model else "")
    if driver != "ocean-obp":
        keys += 'wavelength_nm = [348.1, 0.378]\nserial_number = "S"\n'
    text = replaced('url = "/dev/ttyUSB0"', f'url = "/dev/ttyUSB0"\n{keys}')
    told = refusal(load, f"{text}[acquisition]\nintegration_us = {integration_us}\n")
    assert f"{limits}, not {integration_us}" in told
    load(f"{text}[acquisition]\nintegration_us = 20000\n")


@pytest.mark.parametrize(
    ("coefficients", "why"),
    [
        ("[1000.0, 1.0, -1e-2]", "pixel 51 is the first"),
        ("[1000.0, 1e308, 1e308]", "gives no wavelengths"),
        ("[1000.0, 1.0, 1e306]", "pixel 14 is the first"),
        ("[-5000.0, 1.0]", "gives no wavelengths"),
    ],
)
def test_wavelengths_that_are_none_over_the_pixels_of_the_model(load, coefficients, why):
    keys = f'driver = "ocean-sad500"\nmodel = "Flame-S"\nwavelength_nm = {coefficients}'
    text = replaced('url = "/dev/ttyUSB0"', f'url = "/dev/ttyUSB0"\n{keys}')
    told = refusal(load, f"{text}[acquisition]\nintegration_us = 20000\n")
    assert why in told
    assert "wavelength_nm" in told
