"""The network between daemon and broker: passes bytes on, until its connections are reset."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading

from spektron_edge.demo.broker import free_port

_CHUNK = 1 << 16


class Proxy:
    """Listens on `port` of loopback in a thread of its own."""

    def __init__(self, to_port: int) -> None:
        self.port, self._to = free_port(), to_port
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._ready = threading.Event()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30.0)

    def reset(self) -> None:
        """Every connection ends at once, by RST."""
        self._loop.call_soon_threadsafe(self._reset)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _reset(self) -> None:
        for writer in self._open:
            end = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _run(self) -> None:
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self.port)
        )
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._reset()
        self._loop.run_until_complete(_cancel_all())

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, on = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            back.transport.abort()
            return
        self._open |= {back, on}
        pumps = [asyncio.create_task(_pump(near, on)), asyncio.create_task(_pump(far, back))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._open -= {back, on}
            for writer in (back, on):
                writer.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
