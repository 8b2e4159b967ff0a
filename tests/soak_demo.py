"""Calls the demo again and again, and notes how its memory grows.

Run `python tests/soak_demo.py [--out docs/results/demo.json]`: the server is a process of its own,
the callers are in this one. The figures go under the key `soak`; other keys of the file are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pipecat_deescalate.agent.demo.caller import RATE, calling
from pipecat_deescalate.agent.demo.sample_calls import CALLS
from pipecat_deescalate.models.audio.recording import CallerChannel, read_audio
from pipecat_deescalate.models.readings import Samples

SETTLE_S = 4.0


def memory_mb(pid: int) -> float:
    """What a process has of its own, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def open_files(pid: int) -> int:
    """How many files and sockets a process holds."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def one_call(origin: str, samples: Samples, call_s: float) -> float:
    """Talk to the bot for so long; for how long it was heard."""
    async with calling(samples, origin) as caller:
        end = time.monotonic() + call_s
        while time.monotonic() < end and not caller.closed:
            await caller.next(0.2)
            caller.play()
        return caller.heard_s


async def soak(calls: int, at_once: int, rounds: int, call_s: float) -> dict[str, Any]:
    """Calls in a row, then some at once, some times over."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipecat_deescalate.agent", "demo", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    origin = next(word for word in line.split() if word.startswith("http"))
    samples = read_audio(
        CALLS / "synthetic_escalating.ogg", caller_channel=CallerChannel.LEFT, sample_rate=RATE
    )
    row: list[float] = []
    overlapping: list[float] = []
    files: list[int] = []
    for group, size, times in ((row, 1, calls), (overlapping, at_once, rounds)):
        for _ in range(times):
            heard = await asyncio.gather(*(one_call(origin, samples, call_s) for _ in range(size)))
            await asyncio.sleep(SETTLE_S)
            group.append(round(memory_mb(process.pid), 1))
            files.append(open_files(process.pid))
            print(f"{size} at once: {group[-1]} MiB, {files[-1]} files, heard {heard}", flush=True)
    process.send_signal(signal.SIGINT)
    await process.wait()
    return {
        "call_s": call_s,
        "in_a_row_mb": row,
        "growth_after_second_call_mb": round(row[-1] - row[1], 1),
        "at_once": at_once,
        "at_once_mb": overlapping,
        "growth_after_first_round_mb": round(overlapping[-1] - overlapping[0], 1),
        "open_files": [files[0], files[-1]],
        "exit_code": process.returncode,
    }


def main() -> None:
    """Measure, and write the figures beside those that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--call-s", type=float, default=15.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    figures = asyncio.run(soak(options.calls, options.at_once, options.rounds, options.call_s))
    if options.out is None:
        print(json.dumps(figures, indent=2))
        return
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    options.out.write_text(json.dumps({**known, "soak": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
