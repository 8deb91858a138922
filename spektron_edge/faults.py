"""Everything that can go wrong, each with its own code, exit status and next step.

The catalogue is the single source of docs/faults.md, of exit codes and of event codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    code: stable name in logs, events and records; exit_status: of a command that ends because of
    it; next_step: what the reader should do.
    """

    code: str
    exit_status: int
    next_step: str


class Faults(Enum):
    """The catalogue.

    10-19 set-up, 20-29 serial line, 30-39 measurement, 40-49 MQTT, 50-59 clock, 60-61 demo,
    57-58 and 67 qualification, 62-65 detector, 66 drivers of other packages, 68 and 75-76 backups
    and the disk's budget, 71-74 inference engines, 77-78 `setup` and `doctor`, 80-89 bundles: trust
    and slots, 90-99 calibration transfer, 100-109 adaptation, 110-114 commands, 115-119 the page,
    120-125 tools for instruments.
    """

    CONFIG_INVALID = FaultKind(
        "config_invalid", 10, "correct the named key; `spektron-edge check-config` shows all"
    )
    BUNDLE_INVALID = FaultKind(
        "bundle_invalid",
        11,
        "install the bundle again; `spektron-edge inspect` shows what it holds",
    )
    STATE_UNWRITABLE = FaultKind(
        "state_unwritable", 12, "give the daemon's user write access to `state_dir`"
    )
    DISK_FULL = FaultKind(
        "disk_full", 13, "free space under `state_dir`; results wait in memory meanwhile"
    )
    STATE_DAMAGED = FaultKind(
        "state_damaged",
        14,
        "keep the files that the detail names; look for what breaks or removes files in "
        "`state_dir`, and at the disk's health",
    )
    STATE_IN_USE = FaultKind(
        "state_in_use", 15, "stop the other daemon, or give this one a `state_dir` of its own"
    )

    AUDIT_BROKEN = FaultKind(
        "audit_broken", 16, "keep the file; compare it with copies and with published heads"
    )

    REPLAY_REFUSED = FaultKind(
        "replay_refused",
        17,
        "do what the detail says; docs/outbox.md has the forms of `--since` and `--until`",
    )
    CHOICE_UNFIT = FaultKind(
        "choice_unfit", 18, "send `choose-product` again; the configured product is measured"
    )
    CONFIG_FELL_BACK = FaultKind(
        "config_fell_back",
        19,
        "correct the configuration file, then `command reload`; the last good one is in use",
    )

    PORT_MISSING = FaultKind("port_missing", 20, "check the cable and `serial.url`")
    PORT_BUSY = FaultKind("port_busy", 21, "stop the other program that holds the port")
    PORT_DENIED = FaultKind(
        "port_denied", 22, "add the daemon's user to the port's group (dialout)"
    )
    PORT_LOST = FaultKind("port_lost", 23, "check cable and power; the daemon reconnects by itself")
    DEVICE_SILENT = FaultKind("device_silent", 24, "check the instrument's power and the port")
    LINE_GARBAGE = FaultKind(
        "line_garbage", 25, "check `serial.baud` against the instrument's setting"
    )
    VERSION_MISMATCH = FaultKind(
        "version_mismatch", 26, "update the instrument's firmware or this one"
    )
    DEVICE_REFUSED = FaultKind(
        "device_refused", 27, "compare `acquisition` with the instrument's limits"
    )

    SCANS_REPEATED = FaultKind(
        "scans_repeated", 28, "switch the instrument off and on, so that it counts from 0"
    )
    COUNTS_REPEATED = FaultKind(
        "counts_repeated", 29, "switch the instrument off and on; look at its detector and cables"
    )

    INFO_INVALID = FaultKind(
        "info_invalid", 52, "correct the instrument's firmware: what it says of itself cannot be"
    )
    SCAN_INVALID = FaultKind(
        "scan_invalid",
        53,
        "correct the instrument's firmware; its scans of the right size count meanwhile",
    )
    NUMBERS_JUMPED = FaultKind(
        "numbers_jumped",
        54,
        "correct the instrument's firmware; scans count from the new number on",
    )
    INSTRUMENT_EXCHANGED = FaultKind(
        "instrument_exchanged",
        55,
        "see that the right instrument is on the line and keeps its power; `take-dark` and "
        "`take-reference` where it does not take them itself",
    )
    LAMP_NOT_WARM = FaultKind("lamp_not_warm", 30, "wait; scans count once the lamp is stable")
    NO_DARK = FaultKind(
        "no_dark",
        31,
        "send `take-dark` and `take-reference`; an instrument with shutter and white reference "
        "takes them itself with `acquisition.automatic_references`",
    )
    NO_REFERENCE = FaultKind(
        "no_reference", 32, "none: the daemon measures dark and white reference again"
    )
    REFERENCE_EXPIRED = FaultKind(
        "reference_expired",
        33,
        "send `take-dark` and `take-reference`; or `acquisition.automatic_references`, longer ages",
    )
    REFERENCE_INTERRUPTED = FaultKind(
        "reference_interrupted", 34, "check the instrument's power; the reference is taken again"
    )
    SATURATED = FaultKind(
        "saturated", 35, "shorten `acquisition.integration_us`, or send `auto-range`"
    )
    AXIS_INVALID = FaultKind("axis_invalid", 36, "restore the instrument's wavelength coefficients")
    AXIS_OUTSIDE_MODEL = FaultKind(
        "axis_outside_model", 37, "use a bundle made for this instrument's wavelength range"
    )
    NOT_FINITE = FaultKind(
        "not_finite", 38, "check sample, lamp and reference: a channel has no light"
    )
    SCANS_MISSED = FaultKind(
        "scans_missed", 39, "see the event's numbers; look for line or power faults"
    )

    BROKER_UNREACHABLE = FaultKind(
        "broker_unreachable", 40, "check `mqtt.url` and the network; results are kept meanwhile"
    )
    BROKER_REFUSED = FaultKind("broker_refused", 41, "check `mqtt.username` and its password file")
    PUBLISH_REFUSED = FaultKind(
        "publish_refused", 42, "allow the topic in the broker's access list, and the size"
    )
    SESSION_TAKEN = FaultKind("session_taken", 43, "give each client its own `mqtt.client_id`")
    RECORDS_DROPPED = FaultKind(
        "records_dropped", 44, "restore the broker, or raise the cap that the detail names"
    )

    COMMAND_FAILED = FaultKind(
        "command_failed",
        45,
        "check the daemon, where it is (`--broker`), the operator's name and key",
    )
    BROKER_UNTRUSTED = FaultKind(
        "broker_untrusted", 46, "do what the detail says; docs/mqtt.md has each of them"
    )
    CERTIFICATE_REFUSED = FaultKind(
        "certificate_refused",
        47,
        "give `mqtt.cert_file` and `mqtt.key_file` as the broker wants them; then `reload`",
    )
    CERTIFICATE_EXPIRING = FaultKind(
        "certificate_expiring", 48, "replace `mqtt.cert_file` and `mqtt.key_file`, then `reload`"
    )
    NOTICE_REFUSED = FaultKind(
        "notice_refused", 49, "allow the topic in the broker's access list, and the size"
    )

    CLOCK_SUSPECT = FaultKind("clock_suspect", 50, "set the clock or enable time synchronisation")
    CLOCK_JUMPED = FaultKind(
        "clock_jumped", 51, "records on both sides carry monotonic times as well"
    )
    PART_HUNG = FaultKind(
        "part_hung",
        56,
        "none: as a service the daemon is restarted; report it with the log if it comes again",
    )
    BACKEND_FELL_BACK = FaultKind(
        "backend_fell_back",
        71,
        "results are right, and slower; `spektron-edge bench-device` shows what this machine runs",
    )
    GPU_MISSING = FaultKind(
        "gpu_missing", 72, "run this on the device with the GPU; check its driver (`nvidia-smi`)"
    )
    TENSORRT_MISSING = FaultKind(
        "tensorrt_missing",
        73,
        "install TensorRT 10.3 or newer (JetPack has it); virtual environments need its module",
    )
    ENGINE_FAILED = FaultKind(
        "engine_failed", 74, "try another precision; report this with TensorRT's version and reason"
    )
    BUNDLE_UNTRUSTED = FaultKind(
        "bundle_untrusted",
        80,
        "install a bundle that a key in `trust.keys` signed; `spektron-edge verify` shows who did",
    )
    BUNDLE_OLDER = FaultKind(
        "bundle_older",
        81,
        "install a newer version; `spektron-edge bundle rollback` goes back on purpose",
    )
    BUNDLE_ELSEWHERE = FaultKind(
        "bundle_elsewhere", 82, "use a bundle that is made for this instrument's serial number"
    )
    TRUST_UNUSABLE = FaultKind(
        "trust_unusable", 83, "correct the folder `trust.keys`: public keys *.pem, revoked.json"
    )
    SLOTS_BUSY = FaultKind("slots_busy", 84, "wait for the other installation, then try again")
    SLOT_UNFIT = FaultKind(
        "slot_unfit", 85, "`spektron-edge bundle list` shows what the slots hold"
    )
    BUNDLE_FELL_BACK = FaultKind(
        "bundle_fell_back", 86, "install another bundle; `spektron-edge bundle list` shows why"
    )
    BUNDLE_UNCHECKED = FaultKind(
        "bundle_unchecked", 103, "`spektron-edge bundle install` on the device takes the same file"
    )
    KEY_UNUSABLE = FaultKind("key_unusable", 87, "check the key's file, kind and permissions")
    TRANSFER_UNUSABLE = FaultKind(
        "transfer_unusable",
        90,
        "`spektron-edge transfer rollback` goes back; `transfer start` makes one for this bundle",
    )
    TRANSFER_MISSING = FaultKind(
        "transfer_missing", 91, "`spektron-edge transfer list` shows what there is"
    )
    TRANSFER_IMPOSSIBLE = FaultKind(
        "transfer_impossible",
        92,
        "ask the vendor for a bundle with calibration spectra, open or encrypted for this device",
    )
    TRANSFER_OPEN = FaultKind(
        "transfer_open",
        93,
        "go on with `spektron-edge transfer add`, or end it with `finish` or `discard`",
    )
    TRANSFER_NOT_OPEN = FaultKind(
        "transfer_not_open", 94, "begin with `spektron-edge transfer start`"
    )
    TRANSFER_INPUT = FaultKind(
        "transfer_input", 95, "correct what the detail names; nothing was stored"
    )
    SAMPLE_REFUSED = FaultKind(
        "sample_refused", 96, "measure the sample again as the detail says; nothing was stored"
    )
    TRANSFER_BUSY = FaultKind(
        "transfer_busy", 97, "wait until the calibration that is being fitted is done"
    )
    TRANSFER_FAILED = FaultKind(
        "transfer_failed",
        98,
        "do what the detail says, then `finish` again; the session is as it was",
    )
    TRANSFER_INVALID = FaultKind(
        "transfer_invalid",
        99,
        "read the report; measure suspect samples again or add others: this one is not in use",
    )
    ADAPTATION_UNUSABLE = FaultKind(
        "adaptation_unusable",
        100,
        "`spektron-edge adapt reset` goes back to the bundle's own calibration",
    )
    ADAPTATION_MISSING = FaultKind(
        "adaptation_missing", 101, "`spektron-edge adapt list` shows what there is"
    )
    ADAPTATION_REFUSED = FaultKind(
        "adaptation_refused",
        102,
        "nothing was changed; `spektron-edge adapt status` shows what is in use and what waits",
    )
    ADAPTATION_FAILED = FaultKind(
        "adaptation_failed", 105, "none: it is tried again later; predictions go on as before"
    )
    DETECTOR_STUCK = FaultKind(
        "detector_stuck", 106, "switch the instrument off and on; look at its detector and cables"
    )
    NO_SAMPLE = FaultKind(
        "no_sample", 107, "put a sample into the beam, and clean the window or the cuvette"
    )
    ADAPTATION_INPUT = FaultKind(
        "adaptation_input", 108, "correct what the detail names; nothing was stored"
    )
    COMMAND_INPUT = FaultKind(
        "command_input", 110, "correct what the detail names; nothing was changed"
    )
    COMMAND_NOT_DONE = FaultKind(
        "command_not_done", 111, "see what the detail says, then send the command again"
    )
    NOT_CONFORMING = FaultKind(
        "not_conforming", 120, "compare the requirements named with docs/protocol.md"
    )
    NOTHING_FOUND = FaultKind(
        "nothing_found", 121, "do what the detail says; `spektron-edge record` keeps what comes"
    )
    RECORDING_UNUSABLE = FaultKind(
        "recording_unusable", 122, "give a file that `spektron-edge record` has written"
    )
    REPORT_UNWRITABLE = FaultKind(
        "report_unwritable", 123, "give a file that can be written, on a disk with space"
    )
    BAD_PIXELS = FaultKind(
        "bad_pixels",
        62,
        "check `acquisition.bad_pixels` and the detector; a wide run or many cannot be bridged",
    )
    NONLINEARITY_UNUSABLE = FaultKind(
        "nonlinearity_unusable",
        63,
        'give sound coefficients as `acquisition.nonlinearity`, or "none"',
    )
    AUTO_RANGE_FAILED = FaultKind(
        "auto_range_failed",
        64,
        "nothing was changed; check lamp and white standard, or send `set-integration`",
    )
    WAVELENGTH_ASTRAY = FaultKind(
        "wavelength_astray",
        65,
        "check that the standard lay in the beam, then have the axis calibrated anew",
    )
    DRIVER_FAILED = FaultKind(
        "driver_failed", 66, "ask the makers of the package that the detail names, or update it"
    )
    QUALIFICATION_DUE = FaultKind(
        "qualification_due", 57, "run `spektron-edge qualify`; docs/qualification.md says which"
    )
    QUALIFICATION_FAILED = FaultKind(
        "qualification_failed",
        58,
        "read the report (`spektron-edge qualify show`); mend what failed, then qualify again",
    )
    QUALIFICATION_BROKEN = FaultKind(
        "qualification_broken",
        67,
        "keep the file; compare its hash with the audit log's, and look for another copy",
    )
    COMMAND_WAITING = FaultKind(
        "command_waiting", 112, "let another operator send the same within 10 minutes"
    )
    COMMAND_UNFINISHED = FaultKind(
        "command_unfinished",
        113,
        "wait for longer (`--timeout`), or see the audit log for what came of it",
    )
    DOOR_SHUT = FaultKind(
        "door_shut",
        118,
        "the instrument's page does not reach the daemon; do what the detail says, then restart",
    )
    SPARKPLUG_REFUSED = FaultKind(
        "sparkplug_refused",
        114,
        "allow packets of that size at the broker; the native topics go on meanwhile",
    )
    PAGE_MISSING = FaultKind(
        "page_missing", 115, "pip install 'spektron-edge[page]' into the environment of the page"
    )
    PAGE_UNSERVED = FaultKind(
        "page_unserved", 116, "correct `[page]`, or stop what holds the address; docs/page.md"
    )
    PAGE_ACCOUNT = FaultKind(
        "page_account", 117, "do what the detail says; `spektron-edge page-user list` shows who is"
    )
    ACCOUNTS_DAMAGED = FaultKind(
        "accounts_damaged",
        104,
        "restore the file from a backup; or move it away and start the page again: it makes a new "
        "code for the first account",
    )
    OTHER_THAN_SEEN = FaultKind(
        "other_than_seen", 119, "look at what is there now, and decide again"
    )
    BACKUP_INVALID = FaultKind(
        "backup_invalid",
        68,
        "do what the detail says, or take another backup; nothing was changed",
    )
    BACKUP_REFUSED = FaultKind(
        "backup_refused", 75, "do what the detail says, then try again; nothing was changed"
    )
    BUDGET_EXCEEDED = FaultKind(
        "budget_exceeded",
        76,
        "`spektron-edge archive` moves away what may leave; or raise `retention.total_mb`",
    )
    SETUP_REFUSED = FaultKind("setup_refused", 77, "do what the detail says; nothing was written")
    EXAMINATION_BAD = FaultKind(
        "examination_bad",
        78,
        "do what stands under each part that is bad; `spektron-edge doctor` looks again",
    )
    INTERNAL = FaultKind(
        "internal", 70, "report this with the log; the daemon starts the part again"
    )
    DEMO_INCOMPLETE = FaultKind("demo_incomplete", 60, "read the daemon's log named above")
    DEMO_MISSING = FaultKind("demo_missing", 61, "pip install 'spektron-edge[demo]'")


class Fault(Exception):
    """A fault of a known kind, with what exactly happened."""

    def __init__(self, kind: Faults, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail

    @property
    def code(self) -> str:
        """The kind's stable name."""
        return self.kind.value.code

    @property
    def exit_status(self) -> int:
        """Exit status of a command that ends because of this fault."""
        return self.kind.value.exit_status

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return self.kind.value.next_step

    def __str__(self) -> str:
        return f"{self.detail} [{self.code}] Next: {self.next_step}."
