"""What can go wrong between host and instrument, each with its own class.

Every message says what was expected, what was received, what was tried and what to do next.
"""

from __future__ import annotations


class LinkError(Exception):
    """Base of everything the link raises."""


class PortMissing(LinkError):
    """No such port, or what is there is no serial port, or nothing listens at the address."""


class PortBusy(LinkError):
    """Another process holds the port."""


class PortDenied(LinkError):
    """This user may not open the port."""


class PortLost(LinkError):
    """The port vanished while open: unplugged, closed by the peer, or it no longer takes bytes."""


class LineGarbage(LinkError):
    """Bytes arrive but none of them makes a valid frame: wrong baud, or something else speaks."""


class DeviceSilent(LinkError):
    """The port is open but not one byte came back."""


class NoReply(DeviceSilent):
    """The instrument sends valid frames but does not answer this request."""


class VersionMismatch(LinkError):
    """Host and instrument share no protocol version."""


class InfoInvalid(LinkError):
    """What the instrument says of itself cannot be."""


class DriverFailed(LinkError):
    """Code of another package, which drives the instrument, raised what no driver may."""


class InstrumentExchanged(LinkError):
    """Another instrument answers than at first, or it was switched off meanwhile."""


class DeviceRefused(LinkError):
    """The instrument answered a request with ERROR.

    `code` is the protocol's error code, or the instrument's own one where that has no `name`, 0
    where it gave none; `text` its words. advice: what to do next.
    """

    def __init__(
        self,
        request: str,
        code: int,
        name: str,
        text: str,
        advice: str = "Check the values of the request against the limits in its INFO.",
    ) -> None:
        error = f"error {code} ({name}), " if name else f"error {code} of its own, " if code else ""
        super().__init__(
            f"the instrument refused {request}: {error}it says {text!r}. "
            f"Expected an acknowledgement. {advice}"
        )
        self.code = code
        self.text = text
