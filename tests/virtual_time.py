"""An event loop that does not wait: where nothing is left to do but a timer, its clock jumps there.

Its time is the real one and what was jumped over. It jumps only when no callback is ready, nothing
arrived on a socket, and no thread works for the loop. Of its executor it knows that; of the threads
of others `working` has to say so. While one works, time is real.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop; `slept_s` is what it jumped over so far."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self._working = 0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds, real and jumped over."""
        return super().time() + self.slept_s

    @property
    def may_jump(self) -> bool:
        """Whether nobody but a timer can wake this loop."""
        return self._working == 0

    @contextmanager
    def working(self) -> Iterator[None]:
        """A thread works for this loop until the end of the block: do not jump meanwhile."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1

    def run_in_executor(  # type: ignore[override]  # as the base class has it, less its type variables
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As usual; time is real until the result is there."""
        future = super().run_in_executor(executor, func, *args)
        self._working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, _future: asyncio.Future[Any]) -> None:
        self._working -= 1


@contextmanager
def working() -> Iterator[None]:
    """A thread works for the running loop until the end of the block, if its time is virtual."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        with loop.working():
            yield
    else:
        yield


class _Jumping(selectors.BaseSelector):
    """A selector that moves its loop's clock on instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or not self._loop.may_jump:
            return self._real.select(timeout)
        ready = self._real.select(0)
        if not ready and timeout > 0:
            self._loop.slept_s += timeout
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()
