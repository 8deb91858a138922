"""docs/reference/events.md: what happens and is told that is no fault, as event or audit line.

A test compares the table with the source.
"""

from __future__ import annotations

from typing import Literal

Where = Literal["event", "audit", "both"]

# Code -> where it stands, what happened.
HAPPENINGS: dict[str, tuple[Where, str]] = {
    "adaptation_approved": (
        "both",
        "somebody agreed to a proposal; another may have to agree, too",
    ),
    "adaptation_doubtful": ("both", "a look back speaks against the one that is in use"),
    "adaptation_installed": ("both", "an adaptation is in use, by approval or by `auto`"),
    "adaptation_judged": ("both", "a fit ended, and the guard lets it be proposed"),
    "adaptation_proposed": ("both", "one waits for approval"),
    "adaptation_refused": ("both", "the guard refused what was made; nothing changed"),
    "adaptation_rejected": ("both", "somebody decided that a proposal is never used"),
    "adaptation_reset": ("both", "back to the bundle's own calibration"),
    "adaptation_rolled_back": ("both", "back to what was in use before"),
    "adaptation_service_event": ("both", "somebody worked on the instrument, and said what"),
    "adaptation_started": ("both", "a fit began, in a process of low priority"),
    "adaptation_superseded": ("both", "another took the place of one that waited"),
    "adaptation_tried": (
        "both",
        "its time in shadow is over: what speaks against it, or that it holds",
    ),
    "adaptations_forgotten": ("both", "old ones were removed, as the retention says"),
    "archived": ("audit", "`spektron-edge archive` moved old files away"),
    "audit_continued": ("both", "the audit log goes on in a new file"),
    "axis_replaced": ("both", "the configured axis is used in place of the instrument's"),
    "backup_made": ("audit", "`spektron-edge backup` wrote a file"),
    "bad_pixels_bridged": ("both", "the references showed bad pixels; neighbours stand in"),
    "bundle_back_in_service": ("audit", "it was refused while it ran, and may be used again"),
    "bundle_out_of_service": ("audit", "the model in use is not to be trusted any more, and why"),
    "bundle_taken": ("both", "another bundle in place of one that is not trusted any more"),
    "bundle_vouched": ("audit", "the key it was taken by does not count any more; another does"),
    "bundle_activated": ("both", "a slot was chosen for the daemon's next start or reload"),
    "bundle_installed": ("both", "a bundle was verified, tried, and put into a slot"),
    "bundle_proven": ("both", "a new bundle proved itself; it is not left any more by itself"),
    "bundle_rolled_back": ("both", "somebody went back to the other slot"),
    "clock_jumped": ("audit", "the host's clock was set; the event is the fault of that name"),
    "command_refused": ("audit", "a command without right, proof or sense; `not_listed_before`"),
    "configuration_proven": ("event", "after a reload, what worked before works again"),
    "counter_carried": ("audit", "the counter of an operator's commands, in a new file"),
    "counter_reset": ("both", "an operator's counter of commands began anew, on the device"),
    "daemon_started": ("audit", "version, bundle, and who signed it"),
    "daemon_stopped": ("audit", "with its exit status"),
    "device_clock_jumped": ("event", "the instrument's clock does not follow from what it was"),
    "drift_detected": ("both", "spectra have moved away from those of the calibration"),
    "drift_over": ("both", "they are back"),
    "instrument_connected": ("audit", "serial number, firmware, protocol"),
    "instrument_restarted": ("event", "a new power-on; `scans` has the last number known before"),
    "nonlinearity_corrected": ("both", "counts are divided by this polynomial from now on"),
    "power_on_untold": ("both", "it was switched off and on, and its firmware does not say so"),
    "qualification_begun": ("both", "IQ, OQ or PQ began"),
    "qualification_done": ("both", "a report was made and signed, with its verdict"),
    "qualification_refused": ("both", "a qualification could not be made"),
    "qualification_signed": ("both", "another signature was added to a report"),
    "references_measured": ("both", "dark and white reference"),
    "replay_begun": ("event", "acknowledged records are sent again"),
    "replay_done": ("event", "all of them were sent"),
    "replay_impossible": ("event", "nothing of that span can be sent again, and why"),
    "replay_requested": ("audit", "who asked for it, and for which span"),
    "restored": ("audit", "a backup was restored into this state folder"),
    "retained_elsewhere": (
        "event",
        "a broker that was configured before still has records of ours",
    ),
    "shadow_failed": (
        "event",
        "the one in shadow cannot be computed; it is not looked at any more",
    ),
    "stability_sample_added": ("both", "a kept sample was measured for the first time"),
    "stability_sample_measured": ("both", "it was measured again and compared"),
    "transfer_activated": ("both", "a transfer that was kept is in use"),
    "transfer_added": ("both", "a transfer was made and is kept"),
    "transfer_finished": ("event", "a fit ended, and whether its result is in use"),
    "transfer_rolled_back": ("both", "back to the transfer before, or to the bundle alone"),
    "transfer_sample_added": ("both", "a sample of an open transfer was measured"),
    "transfer_sessions_removed": ("both", "old sessions were removed"),
    "transfer_started": ("both", "a transfer was begun"),
    "wavelength_checked": ("both", "bands of a standard were compared with its table"),
    "white_temperature_unwatched": ("both", "a limit for it is set, and the detector tells none"),
    "page_bundle_refused": ("audit", "a bundle sent from the page was not taken, and why"),
    "page_bundle_sent": ("audit", "one was sent, with its SHA-256"),
    "page_exported": ("audit", "records, spectra or a support file were saved"),
    "page_first_account": ("audit", "the first engineer's account was made"),
    "page_notes_not_kept": ("audit", "lines that no longer fitted while the daemon was away"),
    "page_password_changed": ("audit", "somebody changed the own password"),
    "page_refused": ("audit", "a request that was refused; `not_listed_before` of its kind"),
    "page_signed": ("audit", "an electronic signature: for what, and its meaning"),
    "page_signed_in": ("audit", "name, role, address"),
    "page_signed_out": ("audit", "name, address"),
    "page_user_add": ("audit", "an account was made"),
    "page_user_changed": ("audit", "role, password or whether it may be used, on the page"),
    "page_user_password": ("audit", "the same for its password, on the device"),
    "page_user_remove": ("audit", "an account was removed, on the device"),
    "page_user_role": ("audit", "another role, on the device"),
}

_HEAD = """\
# Events and the audit log

Made by `make pages` from a table that a test compares with the code. An *event* is published
([payloads.md](../payloads.md#event)) and kept on disk until it is acknowledged; an *audit* line
stays on the device, in a log whose lines hold each other (`spektron-edge audit verify`).

## Faults

Every code of [faults](../faults.md) is an event when the fault begins, with its `next_step`, and
`<code>_over` when it ends. Some are lines of the audit log as well: `bundle_fell_back`,
`adaptation_failed`, `transfer_failed`, `transfer_invalid`.

## Commands

Every command that was carried out is the line `command_<name>`: `who`, `ok`, `stage`, `message`,
its `arguments`, and `through` where it did not come over MQTT. [commands.md](../commands.md) lists
them.

## All others

| code | event | audit | |
|---|---|---|---|
"""


def events_page() -> str:
    """Codes that are no faults."""
    rows = [
        f"| `{code}` | {_mark(where, 'event')} | {_mark(where, 'audit')} | {text} |"
        for code, (where, text) in sorted(HAPPENINGS.items())
    ]
    foot = """
`page_` lines are of the [page](../page.md), `command_` lines of whoever sent the command. A line
has `number`, `utc`, `running_s`, `boot`, `who`, `what`, `details`, and `previous`: the SHA-256 of
the line before it. `audit_head` of the published state is the SHA-256 of the last one.
"""
    return _HEAD + "\n".join(rows) + "\n" + foot


def _mark(where: Where, column: Where) -> str:
    return "yes" if where in (column, "both") else ""
