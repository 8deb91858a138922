"""TLS to the broker: the context, and in plain words why a handshake failed."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults

_WARN = timedelta(days=30)
# A certificate that lives for a day only is not announced all the time.
_WARN_SHARE = 1 / 3

_X509_NOT_YET_VALID, _X509_EXPIRED = 9, 10
_X509_NO_ISSUER = (2, 18, 19, 20, 21)
_X509_OTHER_NAME = (62, 64)

# OpenSSL's names of a refusal, with a word of what the broker means.
_REFUSED = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the broker asks for a certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the broker ends the handshake: it may ask for a certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the broker does not know the authority behind our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the broker says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the broker says that our certificate is revoked",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the broker does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the broker does not accept our certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the broker does not accept our kind of certificate",
    "TLSV1_ALERT_DECRYPT_ERROR": "the broker does not accept our certificate's signature",
    "TLSV1_ALERT_ACCESS_DENIED": "the broker does not admit our certificate",
}
_OLD = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION")


def make_context(settings: Mqtt, note: Callable[[OSError], None]) -> ssl.SSLContext:
    """TLS 1.2 or newer, the broker's certificate and name checked, files read now.

    note: told of errors after the handshake, which the client library would drop: in TLS 1.3 a
    broker refuses a certificate only then. Raises Fault(CONFIG_INVALID) naming the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if settings.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(settings.ca_file)
    except OSError as error:
        raise _unreadable(f"`mqtt.ca_file` {settings.ca_file}", error) from None
    if settings.cert_file is not None:
        try:
            # Without a password here, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(settings.cert_file, settings.key_file, password="")
        except OSError as error:
            files = f"`mqtt.cert_file` {settings.cert_file} and its key"
            raise _unreadable(files, error) from None
    context.sslsocket_class = _noting(note)
    return context


def _noting(note: Callable[[OSError], None]) -> type[ssl.SSLSocket]:
    class Noting(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            try:
                super().do_handshake(block)
            except OSError:
                # paho leaves it open.
                self.close()
                raise

        def recv(self, *args: Any) -> bytes:
            try:
                return super().recv(*args)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                raise
            except OSError as error:
                note(error)
                raise

        def send(self, *args: Any) -> int:
            try:
                return super().send(*args)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                raise
            except OSError:
                # Whoever hung up may have said why before.
                with contextlib.suppress(OSError):
                    self.recv(1)
                raise

    return Noting


def _unreadable(what: str, error: OSError) -> Fault:
    if isinstance(error, ssl.SSLError):
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        why = "do not belong together" if mismatch else f"cannot be used: {error.reason or error}"
    else:
        why = f"cannot be read: {error.strerror}"
    return Fault(Faults.CONFIG_INVALID, f"{what} {why}")


def explain(error: OSError, settings: Mqtt, where: str) -> Fault | None:
    """Why TLS failed; None where it was something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault(Faults.BROKER_UNTRUSTED, f"{where}: {_distrust(error, settings)}")
    # A broker that dies ends TLS without a farewell: nothing is wrong with it.
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return None
    if error.reason in _OLD:
        told = f"{where} speaks no TLS 1.2 or newer, and nothing older is spoken here"
        return Fault(Faults.BROKER_UNTRUSTED, told)
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return Fault(Faults.BROKER_UNTRUSTED, f"{where}: what listens there does not speak TLS")
    if (refused := _REFUSED.get(error.reason)) is not None:
        own = settings.cert_file
        ours = "`mqtt.cert_file` is not set" if own is None else f"ours is {own}{_state_of(own)}"
        return Fault(Faults.CERTIFICATE_REFUSED, f"{where}: {refused}; {ours}")
    return Fault(Faults.BROKER_UNTRUSTED, f"{where}: TLS failed: {error.reason or error}")


def _distrust(error: ssl.SSLCertVerificationError, settings: Mqtt) -> str:
    clock = f"this machine's clock says {_utc(datetime.now(timezone.utc))}"
    if error.verify_code == _X509_NOT_YET_VALID:
        return f"the broker's certificate is not valid yet, or {clock} wrongly"
    if error.verify_code == _X509_EXPIRED:
        return f"the broker's certificate has expired, or {clock} wrongly"
    if error.verify_code in _X509_OTHER_NAME:
        return f"the broker's certificate is for another host name than {settings.host!r}"
    if error.verify_code in _X509_NO_ISSUER:
        known = settings.ca_file or "the system's authorities"
        return f"the broker's certificate does not come from {known} ({error.verify_message})"
    return f"the broker's certificate is not accepted: {error.verify_message}"


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _state_of(path: Path) -> str:
    life = lifetime(path)
    if life is None:
        return ""
    begins, ends = life
    return f", valid from {_utc(begins)} to {_utc(ends)}"


def lifetime(path: Path) -> tuple[datetime, datetime] | None:
    """When the first certificate of a PEM file begins and ends; None where there is none."""
    from cryptography import x509

    try:
        own = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    return own.not_valid_before_utc, own.not_valid_after_utc


def ends_soon(begins: datetime, ends: datetime, now: datetime) -> bool:
    """Within 30 days, or in the last third of a life shorter than 90; or over."""
    return ends - now <= min(_WARN, _WARN_SHARE * (ends - begins))


def expiry_fault(settings: Mqtt, now: datetime) -> Fault | None:
    """The fault of our own certificate that ends soon or is over."""
    life = None if settings.cert_file is None else lifetime(settings.cert_file)
    if life is None or not ends_soon(*life, now):
        return None
    _, ends = life
    verb = "ended" if ends <= now else "ends"
    return Fault(Faults.CERTIFICATE_EXPIRING, f"{settings.cert_file} {verb} at {_utc(ends)}")
