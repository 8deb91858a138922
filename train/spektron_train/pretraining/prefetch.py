"""The next episodes, simulated in a thread while the model computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
Key = TypeVar("Key")
_LOOK_S = 0.2


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Prefetch(Generic[Key, Item]):
    """Iterator over make(key), in the order of the keys; at most `depth` finished items wait.

    What `make` raises is raised by `next`, in its turn. Use as a context manager: on leaving, the
    thread has ended.
    """

    def __init__(self, make: Callable[[Key], Item], keys: Iterator[Key], depth: int = 2) -> None:
        self._make, self._keys = make, keys
        self._ready: queue.Queue[tuple[Item] | _Failure | None] = queue.Queue(depth)
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._work, name="episodes", daemon=True)

    def __enter__(self) -> Prefetch[Key, Item]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._halt.set()
        self._thread.join()

    def __iter__(self) -> Prefetch[Key, Item]:
        return self

    def __next__(self) -> Item:
        while True:
            try:
                got = self._ready.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._thread.is_alive() or not self._ready.empty():
                    continue
                raise RuntimeError("the thread that makes episodes is gone") from None
            if isinstance(got, _Failure):
                raise got.error
            if got is None:
                raise StopIteration
            return got[0]

    def take(self, count: int) -> Sequence[Item]:
        """The next `count` items."""
        return [next(self) for _ in range(count)]

    def _work(self) -> None:
        try:
            for key in self._keys:
                if not self._put((self._make(key),)):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the item is asked for
            self._put(_Failure(error))

    def _put(self, value: tuple[Item] | _Failure | None) -> bool:
        while not self._halt.is_set():
            try:
                self._ready.put(value, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False
