"""What blocks, off the event loop: a few threads, and no endless queue before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .errors import Refused

Result = TypeVar("Result")


class Threads:
    """`most`: calls that run or wait; more are refused with 429."""

    def __init__(self, threads: int, most: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._under_way = most, 0

    async def run(self, call: Callable[[], Result]) -> Result:
        """What it returns or raises. Raises Refused."""
        if self._under_way >= self._most:
            raise Refused(429, "busy", "the page is busy with other requests", wait_s=2.0)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._under_way -= 1

    async def patiently(self, call: Callable[[], Result]) -> Result:
        """The same of a part of an answer: what has begun is not refused because others ask as
        well."""
        while True:
            try:
                return await self.run(call)
            except Refused as refused:  # noqa: PERF203  asked once a second at most
                await asyncio.sleep(refused.wait_s or 1.0)

    def close(self) -> None:
        """Nothing new; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
