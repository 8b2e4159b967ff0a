"""The threads that all calls share: bounded, and not stopped by a model that hangs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pipecat_deescalate.processors.session.inference import InferencePool, InferenceRefusedError

REAL_TIME = "a thread that was given up works on, and no loop waits for it"


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hanging work waits for; released at the end."""
    event = threading.Event()
    yield event
    event.set()


async def test_work_is_done_in_order_on_one_thread() -> None:
    """Calls share one thread; their work must neither overlap nor overtake."""
    pool = InferencePool()
    done: list[int] = []
    names = set()

    def work(number: int) -> int:
        names.add(threading.current_thread().name)
        done.append(number)
        return number

    results = await asyncio.gather(*(pool.run(lambda n=n: work(n)) for n in range(10)))
    assert results == done == list(range(10))
    assert names == {"deescalate-inference"}
    pool.close()


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads share their process's priority"
)
async def test_audio_goes_before_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a late reading is dropped, but late audio is heard."""

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    pool = InferencePool()
    assert await pool.run(niceness) == min(before + 10, 19)
    assert niceness() == before
    pool.close()

    monkeypatch.setattr(os, "setpriority", refuse)
    pool = InferencePool()
    assert await pool.run(niceness) == before, "a container may forbid it; then it works as it is"
    pool.close()


def refuse(*_: int) -> None:
    """Stand for a system that forbids it."""
    raise PermissionError


async def test_what_the_work_raises_reaches_the_caller_and_the_thread_lives() -> None:
    """A model that raises once must not leave the process without threads."""
    pool = InferencePool()

    def fail() -> None:
        raise SystemExit("a model that wants to end the process")

    with pytest.raises(RuntimeError, match="SystemExit"):
        await pool.run(fail)
    with pytest.raises(RuntimeError, match="TimeoutError"):
        await pool.run(lambda: (_ for _ in ()).throw(TimeoutError("the work's own")))
    assert await pool.run(lambda: 7) == 7
    pool.close()


async def test_a_full_queue_refuses_at_once(gate: threading.Event) -> None:
    """Under overload readings are dropped; a queue without end would only make all of them late."""
    pool = InferencePool(queue_limit=2)
    running = []
    for _ in range(3):
        running.append(asyncio.create_task(pool.run(gate.wait)))
        await asyncio.sleep(0.02)
    started = time.perf_counter()
    with pytest.raises(InferenceRefusedError, match="full"):
        await pool.run(gate.wait)
    assert time.perf_counter() - started < 0.05
    assert pool.counts["refused"] == 1
    gate.set()
    await asyncio.gather(*running)
    pool.close()


async def test_a_hung_model_does_not_block_other_calls(gate: threading.Event) -> None:
    """One call's hang must cost the others no more than the time limit."""
    pool = InferencePool(time_limit_s=0.5)
    with pytest.raises(InferenceRefusedError, match="time limit"):
        await pool.run(gate.wait)
    assert await pool.run(lambda: "alive") == "alive"
    assert pool.counts["hung"] == 1
    gate.set()
    pool.close()


async def test_hangs_do_not_pile_up_threads(gate: threading.Event) -> None:
    """A model that always hangs must not cost a thread a turn, and its return must be noticed."""
    pool = InferencePool(time_limit_s=0.2, max_hung=2)
    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(InferenceRefusedError):
            await pool.run(gate.wait)
    assert threading.active_count() - before == 2
    assert pool.counts == {"hung": 2, "refused": 3}
    gate.set()
    await asyncio.sleep(0.05)
    assert await pool.run(lambda: "back") == "back"
    pool.close()


async def test_cancelled_work_leaves_the_queue(gate: threading.Event) -> None:
    """A caller who hangs up must not keep others waiting for a reading that nobody wants."""
    pool = InferencePool()
    first = asyncio.create_task(pool.run(gate.wait))
    await asyncio.sleep(0.02)
    done: list[int] = []
    second = asyncio.create_task(pool.run(lambda: done.append(1)))
    await asyncio.sleep(0.02)
    second.cancel()
    await asyncio.sleep(0.02)
    gate.set()
    await first
    assert await pool.run(lambda: 3) == 3
    assert done == []
    pool.close()


async def test_work_behind_a_hung_call_that_was_given_up_is_rescued(gate: threading.Event) -> None:
    """The hung call's own waiter may be gone; others must find out that the thread is stuck."""
    pool = InferencePool(time_limit_s=0.2)
    first = asyncio.create_task(pool.run(gate.wait))
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.sleep(0.2)
    assert await pool.run(lambda: "rescued") == "rescued"
    gate.set()
    pool.close()


def test_a_result_for_a_closed_loop_is_dropped() -> None:
    """A call's event loop may end before its reading; the thread must not die of it."""
    pool = InferencePool()
    gate = threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(pool.run(gate.wait))
        await asyncio.sleep(0.02)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(pool.run(lambda: 5)) == 5
    pool.close()


def test_a_closed_pool_refuses() -> None:
    """After the interpreter began to end no thread may start."""
    pool = InferencePool()
    pool.close()
    with pytest.raises(InferenceRefusedError):
        asyncio.run(pool.run(lambda: 1))


def test_a_hung_model_does_not_keep_the_process_alive() -> None:
    """A process that cannot end has to be killed by hand."""
    code = (
        "import asyncio, time\n"
        "from pipecat_deescalate.processors.session.inference import shared_pool\n"
        "async def main():\n"
        "    task = asyncio.create_task(shared_pool().run(lambda: time.sleep(60)))\n"
        "    await asyncio.sleep(0.1)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)  # noqa: S603 - our own code
    assert time.perf_counter() - started < 20
