"""A real bundle through the page's own process, within its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.config.file import shipped_bundle
from tests.integration.page_process import API, PASSWORD, page_process
from tests.integration.rig import until

pytestmark = pytest.mark.once

SEND = f"{API}/bundles/incoming"
OCTETS = {"Content-Type": "application/octet-stream"}
SIGNED = {"password": PASSWORD, "meaning": "approved", "reason": "a new harvest"}


def test_a_bundle_is_sent_and_installed_also_after_one_that_broke_off(tmp_path: Path) -> None:
    page, data = page_process(tmp_path), shipped_bundle().read_bytes()
    page.config.write_text('bundle = "slots"\n' + page.config.read_text())
    page.start()
    try:
        anna = page.browser("engineer")
        incoming = page.state_dir / "page" / "incoming"
        head = {**anna.headers, **OCTETS, "Host": f"127.0.0.1:{page.port}"}
        lines = [f"POST {SEND} HTTP/1.1", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in head.items()]
        with page.connect() as line:
            line.sendall("\r\n".join([*lines, "", ""]).encode() + data[: len(data) // 2])
            until(incoming.is_dir, "half a bundle")
        until(lambda: not incoming.exists(), "nothing of it")

        answer = page.ask("POST", SEND, {**anna.headers, **OCTETS}, data)
        assert answer.status == 200, answer.body
        found = answer.json
        assert found["bundle"].startswith("corn-")
        done = anna.ask("POST", "/bundles/incoming/install", {"sha256": found["sha256"], **SIGNED})
        assert done.status == 200, done.body
        assert any("calibration spectra" in told for told in done.json["tried"])
        assert SlotStore(page.state_dir).read().held["a"].bundle == found["bundle"]
        assert page.running
    finally:
        page.end()
