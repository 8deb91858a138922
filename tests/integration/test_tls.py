"""TLS to a real Mosquitto: what is refused says why, and what is renewed is used."""

from __future__ import annotations

import queue
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from spektron_edge.cli.main import main
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.demo.broker import free_port, wait_for
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import Acknowledged, Connected, FaultRaised
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.connection import connect_plain
from spektron_edge.mqtt.retained import RetainedLedger
from spektron_edge.mqtt.tls import expiry_fault
from spektron_edge.mqtt.topics import Topics
from tests.integration.rig import PATIENCE_S, Mosquitto, Raw, listening, until
from tests.pki import DAY, Authority
from tests.requirements import need

OLD_OPENSSL = """openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = old
[old]
MinProtocol = TLSv1.1
MaxProtocol = TLSv1.1
CipherString = DEFAULT@SECLEVEL=0
"""


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "plant")


@pytest.fixture
def serve(tmp_path, authority):
    """serve(**of the server's certificate): a Mosquitto that wants certificates from clients."""
    need("broker")
    brokers = []

    def start(*, settings="", **certificate):
        server = authority.issue("broker", **certificate)
        broker = Mosquitto(
            tmp_path,
            f"cafile {authority.certificate}\ncertfile {server.certificate}\n"
            f"keyfile {server.key}\nrequire_certificate true\nuse_identity_as_username true\n"
            f"{settings}",
        )
        broker.start()
        brokers.append(broker)
        return broker

    yield start
    for broker in brokers:
        broker.kill()


def url(broker, scheme="mqtts", host="127.0.0.1"):
    return f"{scheme}://{host}:{broker.port}"


def settings(broker, authority, issued=None, **more):
    files = {"ca_file": authority.certificate}
    if issued is not None:
        files |= {"cert_file": issued.certificate, "key_file": issued.key}
    return Mqtt(**{"url": url(broker), **files, **more})


def fault_of(mqtt):
    """What both ways to connect say; they must agree."""
    with pytest.raises(Fault) as caught, connect_plain(mqtt, 10.0):
        pass
    told = queue.Queue()
    client = MqttClient(mqtt, Topics("lab", "m5"), told.put, RetainedLedger(Path("/nowhere/x")))
    client.start()
    try:
        first = told.get(timeout=PATIENCE_S)
    finally:
        client.stop()
    assert isinstance(first, FaultRaised), first
    assert first.fault.kind is caught.value.kind
    return caught.value


def test_mutual_authentication_is_accepted(serve, authority):
    broker = serve()
    with connect_plain(settings(broker, authority, authority.issue("m5")), 10.0) as client:
        assert client.is_connected()
        assert client.socket().version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
class TestRefusedByTheBroker:
    """In TLS 1.2 the handshake fails, in TLS 1.3 the first read after it."""

    def refused(self, serve, authority, version, issued):
        broker = serve(settings=f"tls_version {version}")
        fault = fault_of(settings(broker, authority, issued))
        assert fault.kind is Faults.CERTIFICATE_REFUSED
        return fault.detail

    def test_no_certificate(self, serve, authority, version):
        detail = self.refused(serve, authority, version, None)
        assert "ask" in detail
        assert "`mqtt.cert_file` is not set" in detail

    def test_an_unknown_authority(self, serve, authority, tmp_path, version):
        stranger = Authority(tmp_path, "stranger").issue("m5")
        detail = self.refused(serve, authority, version, stranger)
        assert "does not know the authority behind our certificate" in detail
        assert str(stranger.certificate) in detail

    def test_an_expired_certificate(self, serve, authority, version):
        late = authority.issue("m5", begins=-9 * DAY, ends=-2 * DAY)
        detail = self.refused(serve, authority, version, late)
        assert "our certificate has expired" in detail
        ended = datetime.now(timezone.utc) - 2 * DAY
        assert f"to {ended:%Y-%m-%d}" in detail


class TestRefusedByUs:
    def distrusted(self, mqtt):
        fault = fault_of(mqtt)
        assert fault.kind is Faults.BROKER_UNTRUSTED
        return fault.detail

    def test_an_unknown_authority(self, serve, authority, tmp_path):
        other = Authority(tmp_path, "other")
        mqtt = settings(serve(), other, authority.issue("m5"))
        assert f"does not come from {other.certificate}" in self.distrusted(mqtt)

    def test_an_expired_certificate(self, serve, authority):
        broker = serve(begins=-9 * DAY, ends=-2 * DAY)
        detail = self.distrusted(settings(broker, authority, authority.issue("m5")))
        assert "the broker's certificate has expired" in detail

    def test_one_that_is_not_valid_yet_names_our_clock(self, serve, authority):
        """As on a machine without a battery-backed clock, before it knows the time."""
        broker = serve(begins=5 * DAY)
        detail = self.distrusted(settings(broker, authority, authority.issue("m5")))
        assert "not valid yet" in detail
        assert f"this machine's clock says {datetime.now(timezone.utc):%Y-%m-%d}" in detail

    def test_another_host_name(self, serve, authority):
        broker = serve(hosts=("broker.example", "192.0.2.1"))
        for host in ("127.0.0.1", "localhost"):
            mqtt = settings(broker, authority, authority.issue("m5"), url=url(broker, host=host))
            assert f"another host name than {host!r}" in self.distrusted(mqtt)

    def test_tls_1_1(self, serve, authority, tmp_path, monkeypatch):
        # Mosquitto knows a lowest version only; OpenSSL's own configuration also a highest.
        (tmp_path / "openssl.cnf").write_text(OLD_OPENSSL)
        monkeypatch.setenv("OPENSSL_CONF", str(tmp_path / "openssl.cnf"))
        broker = serve(settings="tls_version tlsv1.1")
        detail = self.distrusted(settings(broker, authority, authority.issue("m5")))
        assert "speaks no TLS 1.2 or newer" in detail

    def test_no_tls_at_all(self, broker, authority):
        mqtt = settings(broker, authority, authority.issue("m5"))
        fault = fault_of(mqtt)
        assert fault.kind is Faults.BROKER_UNREACHABLE
        assert "hung up in the TLS handshake" in fault.detail


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websockets(tmp_path, authority, scheme):
    need("broker")
    port = free_port()
    # Mosquitto 2.0 starts no listener for websockets alone, nor one bound to an address.
    extra = f"allow_anonymous true\nlistener {port} lo\nprotocol websockets\n"
    files = {}
    if scheme == "wss":
        server = authority.issue("broker")
        extra += f"certfile {server.certificate}\nkeyfile {server.key}\n"
        files = {"ca_file": authority.certificate}
    broker = Mosquitto(tmp_path, extra)
    broker.start()
    wait_for(port)
    try:
        told = queue.Queue()
        mqtt = Mqtt(url=f"{scheme}://127.0.0.1:{port}/mqtt", **files)
        ledger = RetainedLedger(tmp_path / "retained.json")
        client = MqttClient(mqtt, Topics("lab", "m5"), told.put, ledger)
        client.start()
        assert told.get(timeout=PATIENCE_S) == Connected()
        numbers = {client.publish("prediction", b"x" * size) for size in (1, 200, 70_000)}
        while numbers:
            item = told.get(timeout=PATIENCE_S)
            assert isinstance(item, Acknowledged)
            assert item.error is None
            numbers.discard(item.mid)
        client.stop()
    finally:
        broker.kill()


class TestOwnFiles:
    """What is wrong with our own files is said before anything connects."""

    def unusable(self, **files):
        with pytest.raises(Fault) as caught, connect_plain(Mqtt(url="mqtts://h", **files), 1.0):
            pass
        assert caught.value.kind is Faults.CONFIG_INVALID
        return caught.value.detail

    def test_a_key_of_another_certificate(self, authority):
        one, other = authority.issue("one"), authority.issue("other")
        detail = self.unusable(cert_file=one.certificate, key_file=other.key)
        assert "do not belong together" in detail

    def test_a_missing_file(self, authority, tmp_path):
        one = authority.issue("one")
        detail = self.unusable(cert_file=one.certificate, key_file=tmp_path / "nothing")
        assert "No such file" in detail

    def test_an_encrypted_key_is_not_asked_about_on_the_terminal(self, authority, tmp_path):
        from cryptography.hazmat.primitives import serialization

        one = authority.issue("one")
        key = serialization.load_pem_private_key(one.key.read_bytes(), None)
        one.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        assert "cannot be used" in self.unusable(cert_file=one.certificate, key_file=one.key)


@pytest.mark.parametrize(
    ("life", "left", "told"),
    [
        (365 * DAY, 31 * DAY, None),
        (365 * DAY, 29 * DAY, "ends at"),
        (365 * DAY, -1 * DAY, "ended at"),
        (3 * DAY, 1.5 * DAY, None),
        (3 * DAY, 0.9 * DAY, "ends at"),
    ],
)
def test_a_certificate_that_ends_soon_is_announced(authority, life, left, told):
    issued = authority.issue("m5", begins=left - life, ends=left)
    mqtt = Mqtt(url="mqtts://h", cert_file=issued.certificate, key_file=issued.key)
    fault = expiry_fault(mqtt, datetime.now(timezone.utc) - timedelta(seconds=5))
    assert (fault is None) == (told is None)
    if told:
        assert fault.kind is Faults.CERTIFICATE_EXPIRING
        assert told in fault.detail
    assert expiry_fault(Mqtt(url="mqtts://h"), datetime.now(timezone.utc)) is None


def test_an_expired_certificate_is_replaced_without_losing_a_record(serve, authority, tmp_path):
    """Sessions are refused until there is a new one; what was published meanwhile arrives."""
    broker = serve()
    own = authority.issue("m5")
    told = queue.Queue()
    client = MqttClient(
        settings(broker, authority, own),
        Topics("lab", "m5"),
        told.put,
        RetainedLedger(tmp_path / "retained.json"),
        SimpleNamespace(wait_s=lambda _: 0.2),
    )
    acknowledged, faults = set(), []

    def until(condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition() and time.monotonic() < deadline:
            try:
                item = told.get(timeout=0.1)
            except queue.Empty:
                continue
            if isinstance(item, Acknowledged):
                assert item.error is None
                acknowledged.add(item.mid)
            if isinstance(item, FaultRaised):
                faults.append(item.fault)
            seen.append(type(item))
        assert condition(), what

    seen = []
    client.start()
    try:
        until(lambda: Connected in seen, "the first session")
        before = client.publish("prediction", b"1")
        until(lambda: before in acknowledged, "its PUBACK")
        assert client.expiry_fault() is None
        authority.issue("m5", begins=-9 * DAY, ends=-2 * DAY)
        assert " ended at " in client.expiry_fault().detail
        assert client.files_changed()
        broker.kill()
        broker.start()
        until(lambda: Faults.CERTIFICATE_REFUSED in [f.kind for f in faults], "a refusal")
        assert faults[0].kind is Faults.BROKER_UNREACHABLE
        assert Faults.BROKER_UNTRUSTED not in {fault.kind for fault in faults}
        during = [client.publish("prediction", b"%d" % n) for n in range(5)]
        began = time.monotonic()
        authority.issue("m5", ends=300 * DAY)
        until(lambda: acknowledged >= {*during}, "what was published meanwhile")
        print(f"back {time.monotonic() - began:.1f} s after the new certificate")
        assert client.expiry_fault() is None
        assert not client.files_changed()
    finally:
        client.stop()


def test_a_daemon_takes_new_certificates_by_reload_and_loses_nothing(
    tmp_path, authority, make_rig, capsys
):
    need("broker")
    server, port = authority.issue("broker"), free_port()
    broker = Mosquitto(
        tmp_path,
        f"allow_anonymous true\nlistener {port} 127.0.0.1\ncafile {authority.certificate}\n"
        f"certfile {server.certificate}\nkeyfile {server.key}\nrequire_certificate true",
    )
    broker.start()
    try:
        rig = make_rig(f"mqtts://127.0.0.1:{port}")
        authority.issue("m5", begins=-300 * DAY, ends=5 * DAY)
        (tmp_path / "anna.key").write_bytes(b"0123456789abcdef0123")
        anna = '[{ name = "anna", key_file = "anna.key", may = ["reload"] }]'
        rig.settings["commands"] = {"operators": Raw(anna)}
        desk = tmp_path / "desk.toml"
        desk.write_text(rig.config.read_text().replace(f"mqtts://127.0.0.1:{port}", broker.url))
        files = {"ca_file": "plant.pem", "cert_file": "m5.crt", "key_file": "m5.key"}
        rig.settings["mqtt"] |= files
        command = ["command", "reload", "--config", str(desk), "--operator", "anna"]
        with listening(broker.port) as subscriber:
            rig.start()
            until(
                lambda: rig.gather(subscriber) and "certificate_expiring" in rig.codes(),
                "the announcement",
            )
            # Half of a rotation: nothing is done with a key that does not fit.
            whole = (tmp_path / "m5.crt").read_bytes()
            (tmp_path / "m5.crt").write_bytes(authority.certificate.read_bytes())
            assert main([*command, "--timeout", "60"]) == Faults.COMMAND_FAILED.value.exit_status
            assert "do not belong together" in capsys.readouterr().out
            (tmp_path / "m5.crt").write_bytes(whole)
            authority.issue("m5", ends=300 * DAY)
            count = len(rig.received)
            assert main([*command, "--timeout", "60"]) == 0
            assert "connects anew" in capsys.readouterr().out
            until(lambda: len(rig.gather(subscriber)) >= count + 10, "predictions afterwards")
            assert rig.stop() == 0
            until(lambda: subscriber.offline, "the farewell")
            rig.gather(subscriber)
        numbers = sorted(record["scan"]["number"] for record in rig.received.values())
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert rig.missed() == set()
        assert "broker_unreachable" not in rig.codes()
    finally:
        broker.kill()
