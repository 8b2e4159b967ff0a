"""`deescalate doctor`: builds a bot's pipeline without a call, and checks the guard in it."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner import utils
from pipecat.runner.types import CallData, SmallWebRTCRunnerArguments
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from rich.console import Console

from ..models.errors import UnreadableInputError
from .console import results
from .deescalator import Deescalator

ENTRIES = ("bot", "run_bot", "main")
"""The functions that may build the pipeline, in this order; the first is the runner's own."""
_STAND_IN = "doctor"
_READ = re.compile(r"""(?:getenv|environ(?:\.get)?)\s*[(\[]\s*["'](\w+)["']\s*[)\]]""")
"""A variable that is read without a default."""
_NAMED = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_MOST_VARIABLES = 20


class _Built(BaseException):
    """The pipeline is built; nothing of the bot runs after it."""


class StandInTransport(BaseTransport):
    """A transport that nobody is connected to."""

    def __init__(self) -> None:
        super().__init__()
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        self._input, self._output = BaseInputTransport(params), BaseOutputTransport(params)

    def input(self) -> FrameProcessor:
        """The caller's audio, which never comes."""
        return self._input

    def output(self) -> FrameProcessor:
        """Where the bot's speech would go."""
        return self._output

    def add_event_handler(self, event_name: str, handler: Callable[..., Any]) -> None:
        """Accept the handlers of every transport."""


def run_doctor(bot: Path, *, as_json: bool, out: Path | None) -> int:
    """Print what keeps the guard of a bot from its work; the number of complaints.

    Raises:
        UnreadableInputError: the file is no bot, or stops before its pipeline is built.
    """
    with results(as_json=as_json, out=out) as emit:
        complaints = examine(bot)

        def show(console: Console) -> None:
            for complaint in complaints:
                console.print(f"- {complaint}", markup=False, soft_wrap=True)
            if not complaints:
                console.print("The guard is wired as it should be.")

        emit(_as_json(bot, complaints), show)
    return len(complaints)


def examine(bot: Path) -> list[str]:
    """Run a bot's file up to its pipeline, and check that.

    The bot gets a transport without a caller, and stand-ins for the variables of the environment
    that it reads and that are not set; nothing of it runs after the pipeline is built.

    Raises:
        UnreadableInputError: the file is no bot, or stops before its pipeline is built.
    """
    try:
        names = _READ.findall(bot.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInputError(bot, f"cannot be read ({error})") from error
    for _ in range(_MOST_VARIABLES):
        guards: list[Deescalator] = []
        pipelines: list[FrameProcessor] = []
        stop = _stopped_by(bot, names, guards, pipelines)
        if pipelines:
            return _complaints(guards, pipelines[0])
        missing = {name for name in _NAMED.findall(str(stop)) if name not in (*names, *os.environ)}
        if not missing:
            break
        names += sorted(missing)
    if stop is None:
        raise UnreadableInputError(bot, "built no pipeline: it made no PipelineWorker")
    reason = f"{type(stop).__name__}: {' '.join(str(stop).split())}"
    raise UnreadableInputError(bot, f"stopped before its pipeline was built ({reason})") from stop


def _complaints(guards: list[Deescalator], pipeline: FrameProcessor) -> list[str]:
    if not guards:
        return ["the bot makes no guard. Write for each call: guard = Deescalator(...)"]
    return [complaint for guard in guards for complaint in guard.check(pipeline)]


def _stopped_by(
    bot: Path, names: list[str], guards: list[Deescalator], pipelines: list[FrameProcessor]
) -> BaseException | None:
    """Run a bot with stand-ins for these variables; what stopped it before its pipeline."""
    with _watched(guards, pipelines), _environment(names):
        try:
            _run(bot)
        except UnreadableInputError:
            raise
        except _Built:
            pass
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the bot raises
            return error
    return None


def _run(path: Path) -> None:
    module = _load(path)
    for name in ENTRIES:
        entry = getattr(module, name, None)
        if inspect.iscoroutinefunction(entry):
            asyncio.run(entry(*_arguments(entry)))
            return
    raise UnreadableInputError(
        path, f"has none of these functions: {', '.join(f'async def {name}' for name in ENTRIES)}"
    )


def _load(path: Path) -> ModuleType:
    spec = util.spec_from_file_location(path.stem.replace(".", "_"), path)
    if spec is None or spec.loader is None:
        raise UnreadableInputError(path, "is not a Python file")
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent.resolve()))  # its own modules lie beside it
    spec.loader.exec_module(module)
    return module


def _arguments(entry: Callable[..., Any]) -> list[object]:
    """A value for each parameter that has no default: by its name, else by its place."""
    stand_ins: dict[str, object] = {
        "transport": StandInTransport(),
        "runner_args": _runner_arguments(),
        "args": _runner_arguments(),
        "websocket": SimpleNamespace(),
        "websocket_client": SimpleNamespace(),
    }
    needed = [
        one
        for one in inspect.signature(entry).parameters.values()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    only = _runner_arguments() if len(needed) == 1 else _STAND_IN
    return [stand_ins.get(one.name, only) for one in needed]


def _runner_arguments() -> SmallWebRTCRunnerArguments:
    arguments = SmallWebRTCRunnerArguments(webrtc_connection=SimpleNamespace())
    arguments.call_data = CallData(stream_id=_STAND_IN, call_id=_STAND_IN)
    return arguments


@contextmanager
def _watched(guards: list[Deescalator], pipelines: list[FrameProcessor]) -> Iterator[None]:
    """Note each guard and pipeline that is made, and stop the bot at the first pipeline."""
    make_guard = Deescalator.__init__

    def guard_made(guard: Deescalator, *args: Any, **values: Any) -> None:
        make_guard(guard, *args, **values)
        guards.append(guard)

    def worker_made(_worker: PipelineWorker, pipeline: FrameProcessor, *_: Any, **__: Any) -> None:
        pipelines.append(pipeline)
        raise _Built

    async def transport_made(*_: Any, **__: Any) -> StandInTransport:
        return StandInTransport()

    async def call_parsed(_websocket: object) -> tuple[str, CallData]:
        return "twilio", CallData(stream_id=_STAND_IN, call_id=_STAND_IN)

    with (
        _replaced(Deescalator, "__init__", guard_made),
        _replaced(PipelineWorker, "__init__", worker_made),
        _replaced(utils, "create_transport", transport_made),
        _replaced(utils, "parse_telephony_websocket", call_parsed),
    ):
        yield


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def _environment(names: list[str]) -> Iterator[None]:
    """Stand-ins for those of these variables that are not set."""
    made = [name for name in names if name not in os.environ]
    os.environ.update({name: _value(name) for name in made})
    try:
        yield
    finally:
        for name in made:
            os.environ.pop(name, None)


def _value(name: str) -> str:
    """Something that a bot accepts for a variable of this name."""
    if "URL" in name:
        return "http://127.0.0.1:9"
    return _STAND_IN if name.endswith(("_KEY", "_TOKEN", "_SECRET", "_SID", "_ID")) else "+15550100"


def _as_json(bot: Path, complaints: list[str]) -> str:
    return json.dumps({"bot": str(bot), "complaints": complaints}, ensure_ascii=False)
