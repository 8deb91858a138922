"""The process of the page: its limits, its socket, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import logging
import os
import resource
import signal
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvicorn

from spektron_edge import log
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.config.page import PageSettings
from spektron_edge.door.client import DoorClient
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.faults import Fault, Faults
from spektron_edge.service.beats import Beat
from spektron_edge.service.service import Service

from .alive import tell
from .app import application
from .link import Link
from .listening import Listening, listening_at
from .notes import Details
from .patient import HEADERS_S, MOST_HEADERS, PatientProtocol
from .services import Page, services

_MIB = 2**20
_GRACE_S = 3
_STACK = 2 * _MIB
# mallopt(3).
_M_ARENA_MAX, _ARENAS = -8, 2
_USERS_EVERY_S = _TOLD_EVERY_S = 1.0
# Behind questions to a long history.
_READING_S = 60.0


class _Server(uvicorn.Server):
    """Without uvicorn's signal handlers, which would end the process by the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours are set already."""
        yield


def serve(config_path: Path, say: Callable[[dict[str, object]], None], service: Service) -> int:
    """Until SIGTERM or SIGINT; returns 0. say: is told once where the page is; service: the page
    as its service manager sees it.

    Raises Fault(CONFIG_INVALID, PAGE_UNSERVED, STATE_UNWRITABLE, ...).
    """
    config = load_config(config_path)
    log.set_up(config.log.format, config.log.level, instrument=config.instrument)
    _limit(config.page)
    tls = _tls(config.page)
    link = Link()
    with _listen(config.page) as listening:
        page = services(config_path, config, link)
        log.also(page.log_ring)
        # What comes in wrong is counted and told by us, a line for each would fill a disk.
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        report: dict[str, object] = {"page": _url(config.page)}
        if not page.users.read().held:
            report["first boot code"] = page.first_boot.code()
            report["next"] = "open the page and make the first engineer's account with this code"
        say(report)
        log.info("page_started", url=_url(config.page))
        asyncio.run(_run(config, page, listening, tls, service))
    log.info("page_ended")
    return 0


async def _run(
    config: Config,
    page: Page,
    listening: Listening,
    tls: ssl.SSLContext | None,
    service: Service,
) -> None:
    noted: set[asyncio.Task[None]] = set()

    def told(address: str, why: str) -> None:
        about: Details = {"error": why, "address": address}
        task = asyncio.create_task(page.notes.refused("nobody", about))
        noted.add(task)
        task.add_done_callback(noted.discard)

    listening.told = told

    class Protocol(PatientProtocol):
        __init__ = functools.partialmethod(PatientProtocol.__init__, told=told)

    server = _Server(
        uvicorn.Config(
            application(page),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE_S,
            h11_max_incomplete_event_size=MOST_HEADERS,
            ssl_context_factory=None if tls is None else lambda *_: tls,
        )
    )

    def stop() -> None:
        service.stopping()
        server.should_exit = True
        page.link.close()

    loop = asyncio.get_running_loop()
    if tls is not None:
        # uvicorn has no word for it, and asyncio would wait a minute for who says nothing.
        patient = functools.partial(loop.create_server, ssl_handshake_timeout=HEADERS_S)
        loop.create_server = patient  # type: ignore[method-assign]
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with DoorClient(config.state_dir / DOOR_FILE) as client:
        beside = [
            asyncio.create_task(page.link.follow(client)),
            asyncio.create_task(_look_for_users(page, service.beats.new("page-keeping"))),
            asyncio.create_task(_tell_what_waits(page)),
            asyncio.create_task(tell(service, server, page.link)),
        ]
        try:
            await server.serve(sockets=[listening])
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            page.close()


async def _look_for_users(page: Page, beat: Beat) -> None:
    """What the command line changes holds here a second later. beat: of the thread that
    does it. Those that were read last stay where it fails."""

    async def look() -> None:
        beat.doing("reading the accounts", _READING_S)
        await page.keeping.run(page.users.refresh)

    await _repeatedly(look, _USERS_EVERY_S, "page_users_unread")


async def _tell_what_waits(page: Page) -> None:
    """What the audit log does not know yet, of accounts and of a disk that was full."""

    async def what_waits() -> None:
        await page.notes.again()
        await page.account_notes.tell()

    await _repeatedly(what_waits, _TOLD_EVERY_S, "page_not_told")


async def _repeatedly(work: Callable[[], Awaitable[None]], every_s: float, failed: str) -> None:
    """For as long as the page runs; each way to fail is said once, under the name `failed`."""
    said = ""
    while True:
        try:
            await work()
            said = ""
        except Exception as error:  # noqa: BLE001  without memory for it, too: it has to go on
            if str(error) != said:
                said = str(error)
                log.warn(failed, detail=error)
        await asyncio.sleep(every_s)


def _limit(settings: PageSettings) -> None:
    """Memory and niceness: whatever browsers ask for, the daemon has what it needs."""
    most = settings.memory_mb * _MIB
    # The whole stack of a thread counts, 8 MiB otherwise, and what glibc keeps for each of them.
    threading.stack_size(_STACK)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    os.nice(settings.nice)


def _tls(settings: PageSettings) -> ssl.SSLContext | None:
    if settings.certificate is None or settings.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        detail = f"certificate {settings.certificate} and key {settings.key}: {error}"
        raise Fault(Faults.PAGE_UNSERVED, detail) from None
    return context


def _listen(settings: PageSettings) -> Listening:
    try:
        return listening_at(settings.host, settings.port)
    except OSError as error:
        detail = f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"
        raise Fault(Faults.PAGE_UNSERVED, detail) from None


def _url(settings: PageSettings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.encrypted else 'http'}://{host}:{settings.port}/"
