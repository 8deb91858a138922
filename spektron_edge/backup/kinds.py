"""Each file of the state folder: whether a backup holds it, and what becomes of it on the device
that it is restored to. docs/backup.md has this table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Place(Enum):
    """Where a backup has a file."""

    OPEN = "in the clear"
    SEALED = "encrypted, or not at all"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Kind:
    """pattern: of the path under the state folder; shown: for a reader; then: after a restore."""

    pattern: str
    shown: str
    place: Place
    then: str


_NAME = r"[^/]+"
KINDS = (
    # What this machine makes again, and what says who holds a lock.
    Kind(
        rf"lock|door\.sock|(.*/)?{_NAME}\.lock|{_NAME}/lock|(.*/)?{_NAME}\.partial(-\d+)?",
        "`lock`, `*.lock`, `door.sock`, `*.partial`",
        Place.LEFT_OUT,
        "made again",
    ),
    Kind(r"outbox\.sqlite-(wal|shm)", "`outbox.sqlite-wal`, `-shm`", Place.LEFT_OUT, "made again"),
    Kind(r"engines/.*", "`engines/`", Place.LEFT_OUT, "built again for this machine's GPU"),
    Kind(r"mqtt\.json", "`mqtt.json`", Place.LEFT_OUT, "written at the next start"),
    Kind(
        r"configuration/.*",
        "`configuration/`",
        Place.LEFT_OUT,
        "a trial that `reload` had begun is over: the configuration file counts",
    ),
    Kind(
        r"page/first-boot-code",
        "`page/first-boot-code`",
        Place.LEFT_OUT,
        "another code, where no account was restored",
    ),
    Kind(
        r"page/incoming/.*",
        "`page/incoming/`",
        Place.LEFT_OUT,
        "a bundle that was sent and not installed has to be sent again",
    ),
    Kind(
        r"before-(restore|migration)-.*|restore-[a-z]+/.*",
        "`before-*`, `restore-*`",
        Place.LEFT_OUT,
        "what an earlier restore or update set aside stays on the device that it is on",
    ),
    # Secrets.
    Kind(
        r"device-key\.pem",
        "`device-key.pem`",
        Place.SEALED,
        "the same key; without it another one is made, and spectra that a vendor encrypted for "
        "the old one stay closed",
    ),
    Kind(
        r"page/users\.json",
        "`page/users.json`",
        Place.SEALED,
        "the same accounts and passwords: remove again who was removed since",
    ),
    # What is kept as it was, or made safe.
    Kind(
        r"outbox\.sqlite",
        "`outbox.sqlite`",
        Place.OPEN,
        "records as they were; what was not acknowledged then goes out with the id that it had; "
        "every operator's counter is raised to the time of the restore",
    ),
    Kind(
        r"audit\.jsonl|audit/.*",
        "`audit.jsonl`, `audit/`",
        Place.OPEN,
        "the same chain; its next line says who restored it from what onto which machine",
    ),
    Kind(
        r"sparkplug-bdseq",
        "`sparkplug-bdseq`",
        Place.OPEN,
        "half of 256 farther: not a number that was used since the backup",
    ),
    Kind(
        r"clock\.json",
        "`clock.json`",
        Place.OPEN,
        "as it was: times are suspect until something sets this machine's clock",
    ),
    Kind(
        r"references\.npz",
        "`references.npz`",
        Place.OPEN,
        "dark and white of another boot count as expired: they are measured again",
    ),
    Kind(r"axis\.npz", "`axis.npz`", Place.OPEN, "as it was; the instrument tells its axis anew"),
    Kind(
        r"bundles/.*",
        "`bundles/`",
        Place.OPEN,
        "both slots, and nothing older than then; install again what came since",
    ),
    Kind(
        r"transfers/.*|transfer-session/.*",
        "`transfers/`, `transfer-session/`",
        Place.OPEN,
        "as they were, by the instrument's serial number",
    ),
    Kind(
        r"adaptations/.*",
        "`adaptations/`",
        Place.OPEN,
        "as they were, by the instrument's serial number; decisions since then are lost",
    ),
    Kind(r"choices/.*", "`choices/`", Place.OPEN, "as they were"),
    Kind(
        r"qualification/.*",
        "`qualification/`",
        Place.OPEN,
        "reports as they were, whatever their mode; qualify the installation again on a new box",
    ),
    Kind(
        r"counters/.*|replay/.*|page/notes\.json",
        "`counters/`, `replay/`, `page/notes.json`",
        Place.OPEN,
        "what the daemon had not taken up it takes up now",
    ),
    Kind(
        r"retained\.json|home-assistant\.json",
        "`retained.json`, `home-assistant.json`",
        Place.OPEN,
        "as they were, so that what the broker still keeps of this device can be removed",
    ),
)
ANYTHING = Kind(
    r".*",
    "anything else",
    Place.OPEN,
    "as it was; what only its owner may read is treated as a secret",
)


def kind_of(path: str) -> Kind:
    """Of a path under the state folder, with `/`."""
    return next((kind for kind in KINDS if re.fullmatch(kind.pattern, path)), ANYTHING)
