"""The page: what its first view costs, and what five open pages cost the daemon's latency."""

from __future__ import annotations

import contextlib
import http.client
import socket
import statistics
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser
from rich.progress import track

from spektron_edge.demo.broker import free_port
from tests.benchmarks.report import Figure
from tests.benchmarks.usual_load import RATE, SCANS, last_state
from tests.integration.page_bench import Visitor, bench
from tests.integration.page_process import API, PageProcess
from tests.integration.rig import Rig
from tests.page_browser import chromium

NAME = "page"
VIEWS, RUNS, PAGES = 5, 5, 5
_SHAPE = {"width": 1280, "height": 900}
# Milliseconds since the page was asked for, in the frame in which the spectrum is there.
_DRAWN = """() => {
  const canvas = document.querySelector(".now-spectrum canvas");
  if (!canvas || !canvas.width) return null;
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((x) => x > 0) ? performance.now() : null;
}"""


def measure() -> list[Figure]:
    """All figures."""
    kilobytes, seconds = _first_views()
    without, with_pages, taken = _latencies()
    rise = 100.0 * (statistics.median(with_pages) / statistics.median(without) - 1.0)
    pairs = [100.0 * (b / a - 1.0) for a, b in zip(without, with_pages, strict=True)]
    view = f"live view after signing in, nothing cached, on loopback; median of {VIEWS}"
    load = f"{SCANS} scans at {RATE:g}/s, last serial byte to PUBACK"
    told = f"{statistics.median(without):.1f} ms to {statistics.median(with_pages):.1f} ms"
    how = f"p99 of {load}: medians of {RUNS} runs each, in turns, without a page and with {PAGES}"
    how += f" open pages of one page process ({told}); they took {taken:.1f} spectra a second each"
    return [
        Figure(
            "first_view_kb",
            statistics.median(kilobytes),
            "kB",
            "lower",
            _half(kilobytes),
            f"bytes over the network, with headers and the stream until the spectrum; {view}",
        ),
        Figure(
            "first_view_s",
            statistics.median(seconds),
            "s",
            "lower",
            _half(seconds),
            f"from asking for the page to the frame with the first spectrum; {view}",
        ),
        Figure("p99_rise", rise, "%", "lower", _half(pairs), how),
    ]


def _half(values: list[float]) -> float:
    """Half the distance of the quartiles."""
    quartiles = statistics.quantiles(values, n=4)
    return (quartiles[2] - quartiles[0]) / 2


def _first_views() -> tuple[list[float], list[float]]:
    """kB and seconds of each."""
    with tempfile.TemporaryDirectory() as name, bench(Path(name)) as found, chromium() as program:
        # As fast as pages are sent spectra.
        found.rig.pace(1.0 / RATE)
        anna = Visitor(program, found.url)
        anna.first_account(found.code, "anna")
        kept = anna.context.storage_state()
        anna.context.close()
        views = [_first_view(program, found.url, kept) for _ in range(VIEWS)]
    return [kb for kb, _ in views], [s for _, s in views]


def _first_view(program: Browser, url: str, kept: object) -> tuple[float, float]:
    """In a browser that has seen nothing of the page yet."""
    seen = Visitor(program, url, viewport=_SHAPE, storage_state=kept)
    network = seen.context.new_cdp_session(seen.page)
    coming: dict[str, int] = {}
    whole: dict[str, int] = {}

    def part(told: dict[str, object]) -> None:
        request, size = str(told["requestId"]), int(str(told["encodedDataLength"]))
        coming[request] = coming.get(request, 0) + size

    def end(told: dict[str, object]) -> None:
        whole[str(told["requestId"])] = int(float(str(told["encodedDataLength"])))

    network.on("Network.dataReceived", part)
    network.on("Network.loadingFinished", end)
    network.send("Network.enable")
    seen.page.goto(url)
    drawn = seen.page.wait_for_function(_DRAWN, polling="raf").json_value()
    assert not seen.heard
    seen.context.close()
    return sum({**coming, **whole}.values()) / 1e3, drawn / 1e3


def _latencies() -> tuple[list[float], list[float], float]:
    """p99 in ms without and with pages, in turns; spectra a second that a page took."""
    without, with_pages, taken = [], [], []
    for _ in track(range(RUNS), "pairs of runs"):
        without.append(last_state()["p99_ms"])
        with_pages.append(last_state(settings=_settings(), beside=_pages(taken))["p99_ms"])
    return without, with_pages, statistics.median(taken) * RATE / SCANS


def _settings() -> dict[str, dict[str, object]]:
    return {"page": {"port": free_port()}}


def _pages(taken: list[int]):
    """A page process with open pages that read everything; taken: spectra of each, at the end."""

    @contextlib.contextmanager
    def opened(rig: Rig) -> Iterator[None]:
        port = int(rig.settings["page"]["port"])
        page = PageProcess(rig.config, port, rig.folder / "state", people=("viewer",))
        page.start()
        viewer = page.browser("viewer")
        streams = []
        for _ in range(PAGES):
            stream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            stream.request("GET", f"{API}/live?spectra=10", headers=viewer.headers)
            streams.append(stream)
        threads = [threading.Thread(target=_count, args=(s, taken)) for s in streams]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            page.stop()
            for thread in threads:
                thread.join()

    return opened


def _count(stream: http.client.HTTPConnection, taken: list[int]) -> None:
    """Spectra until the stream ends."""
    spectra = 0
    with contextlib.suppress(OSError, http.client.HTTPException, socket.timeout):
        answer = stream.getresponse()
        assert answer.status == 200
        while line := answer.readline():
            spectra += line == b"event: spectrum\n"
    stream.close()
    taken.append(spectra)
