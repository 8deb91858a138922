"""The page's process beside a real daemon: what is live, what is done, by whom, and when one of
the two is away."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from spektron_edge.demo.broker import free_port
from tests.integration.page_process import API, Browser, PageProcess, signed_in
from tests.integration.rig import Rig, until


@pytest.fixture
def rig(broker, make_rig, streaming) -> Rig:
    made = make_rig(broker.url, interval_s=0.1)
    made.settings["page"] = {"port": free_port()}
    return streaming(made)


@pytest.fixture
def page(rig: Rig) -> Iterator[PageProcess]:
    made = PageProcess(rig.config, rig.settings["page"]["port"], rig.folder / "state")
    made.start()
    yield made
    assert made.stop() == 0


def _connected(browser: Browser, wanted: bool = True) -> None:
    def found() -> bool:
        return browser.ask("GET", "/now").json["connection"]["door"] is wanted

    until(found, f"door {wanted}")


def _events(page: PageProcess, browser: Browser) -> Iterator[tuple[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    try:
        connection.request("GET", f"{API}/live", headers=browser.headers)
        answer = connection.getresponse()
        assert answer.status == 200
        name = ""
        while line := answer.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)
    finally:
        connection.close()


def _audited(rig: Rig, what: str) -> list[dict]:
    return [line for line in rig.audited if line["what"] == what]


def test_live_spectra_belong_to_what_is_published(rig, page):
    viewer = page.browser("viewer")
    _connected(viewer)
    spectrum, predictions = None, {}
    for name, data in _events(page, viewer):
        if name == "spectrum":
            spectrum = data
        elif name == "prediction":
            predictions[data["id"]] = data
        if spectrum is not None and spectrum["record"] in predictions:
            break
    prediction = predictions[spectrum["record"]]
    assert spectrum["scan"] == prediction["scan"]["number"]
    until(lambda: rig.gather(rig.subscriber) and prediction["id"] in rig.received, "its record")
    assert rig.received[prediction["id"]] == prediction
    axis = viewer.ask("GET", "/axis").json
    assert axis["id"] == spectrum["axis"]
    assert len(axis["values"]) == len(axis["mean"]) > 0


def test_commands_go_by_role_and_each_is_in_the_audit_log(rig, page):
    viewer, operator, engineer = (page.browser(n) for n in ("viewer", "operator", "engineer"))
    _connected(viewer)
    health = viewer.ask("POST", "/commands/health", {})
    assert (health.status, health.json["stage"]) == (200, "finished")
    change = {"arguments": {"integration_us": 900}}
    for browser in (viewer, operator):
        assert browser.ask("POST", "/commands/set-integration", change).status == 403
    done = engineer.ask("POST", "/commands/set-integration", change)
    assert (done.status, done.json["ok"]) == (200, True), done.json
    assert done.json["result"]["integration_us"] == 900
    taken = operator.ask("POST", "/commands/take-reference", {})
    assert taken.status == 200, taken.json
    unsigned = engineer.ask("POST", "/commands/reload", {})
    assert (unsigned.status, unsigned.error) == (403, "signature")

    lines = _audited(rig, "command_set-integration")
    assert [line["details"]["stage"] for line in lines] == ["accepted", "finished"]
    assert {(line["who"], line["details"]["through"]) for line in lines} == {("engineer", "page")}
    assert {line["who"] for line in _audited(rig, "page_refused")} >= {"viewer", "operator"}
    assert len(_audited(rig, "page_signed_in")) == 3


def test_the_page_outlives_the_daemon_and_tells_it_what_was_done(rig, page):
    viewer = page.browser("viewer")
    _connected(viewer)
    last = until(lambda: viewer.ask("GET", "/now").json["prediction"], "a prediction")
    rig.kill()
    _connected(viewer, False)
    assert viewer.ask("GET", "/now").json["prediction"]["scan"]["number"] >= last["scan"]["number"]
    away = viewer.ask("POST", "/commands/health", {})
    assert (away.status, away.error) == (503, "daemon_away")
    meanwhile = signed_in(page, "operator")
    rig.start()
    _connected(viewer)

    def told() -> bool:
        return any(line["who"] == "operator" for line in _audited(rig, "page_signed_in"))

    until(told, "the note from while the daemon was away")
    assert meanwhile.ask("POST", "/commands/health", {}).status == 200
