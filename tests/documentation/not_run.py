"""Commands of the documentation that no test runs, and why. What they say is checked all the same:
options of our own programs against their parsers, targets of make against the Makefile.

A row is how a command begins. One that no page has any more fails the test.
"""

from __future__ import annotations

from .blocks import Command

NOT_RUN = {
    "make ": "sets up environments, or takes from minutes to hours; CI runs what it can",
    "pip install": "asks a package index; CI installs the package on its own",
    "cp deploy/": "changes the machine's services; test_deploy.py checks the files",
    "install -": "changes files of the machine",
    "apt install": "changes the machine; tests of the package do it in a root file system",
    "podman run": "needs the image",
    "systemctl ": "needs systemd as the first process",
    "systemd-sysusers": "changes the machine's users",
    "systemd-tmpfiles": "changes the machine's folders",
    "udevadm ": "changes the machine's devices",
    "journalctl ": "needs systemd's journal",
    "qemu-system-arm ": "tests/integration/test_firmware.py runs the firmware",
    "python -c import skops.io": "a model that the reader has; tests of spektron_export make one",
    "spektron-export --from-sklearn": "the same",
    "spektron-export CHECKPOINT": "exports for a minute; tests of spektron_export do it",
    "spektron-train pretrain": "imports torch and trains; tests of spektron_train do it",
    "spektron-train status build/smoke": "of the run before",
    "spektron-edge bench-device": "measures for a minute; test_bench_device.py does it",
    "spektron-edge build-engine": "needs a GPU with TensorRT",
    "spektron-edge wavelength-check": "needs a standard in the beam; test_acquisition.py lays one",
    "spektron-edge replay-outbox --config spektron.toml --since 01K": "a record of another outbox",
    "spektron-edge conformance": "sends a megabyte of noise; tests/contract does it",
    "spektron-edge page-user add": "asks for a password; tests/integration/test_page.py gives one",
    "spektron-edge setup": "asks at a terminal; tests/integration/test_setup.py answers there",
    "spektron-edge doctor": "has a warning for many a machine; tests/integration/test_doctor.py",
    "spektron-edge qualify iq": "hashes every installed file; test_qualification.py does it",
    "spektron-edge qualify oq": "needs standards in the beam; the same",
    "spektron-edge qualify pq": "needs samples in the beam; the same",
    "spektron-edge qualify sign": "needs a report; the same",
    "spektron-edge qualify verify": "the same",
    "spektron-edge transfer finish": "needs four cups in turn; the tutorial's test has them",
    "spektron-edge transfer rollback": "needs a finished transfer: the same",
    "spektron-edge command transfer-finish": "the same",
    "spektron-edge command adapt-approve": "was approved some lines before, by `adapt approve`",
    "spektron-edge adapt reject": "was approved two lines before; test_adaptation_commands.py",
    "spektron-edge adapt replay": "needs an adaptation of its own making; test_adaptation.py",
}

# Their commands are for a daemon that was stopped.
DAEMON_STOPPED = ("docs/mqtt.md",)

# Pages whose commands run in a test of their own, in what they need there.
ELSEWHERE = {
    "docs/tutorial.md": "tests/documentation/test_tutorial.py",
    "docs/backup.md": "tests/unit/test_upkeep_pages.py",
    "docs/keys.md": "tests/unit/test_upkeep_pages.py",
    "docs/upgrading.md": "tests/unit/test_upkeep_pages.py",
}


def runs(command: Command) -> bool:
    """Whether it runs on the stage of all pages."""
    return command.page not in ELSEWHERE and not any(
        command.text.startswith(start) for start in NOT_RUN
    )
