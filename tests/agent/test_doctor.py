"""`deescalate doctor`: a bot's wiring is checked without a call, keys or a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..commands import deescalate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TRANSFER_TO"):
        monkeypatch.delenv(name, raising=False)


def bot(folder: Path, body: str) -> Path:
    """A bot of a few lines; `body` builds its pipeline's list."""
    path = folder / "bot.py"
    path.write_text(
        "import os\n"
        "from pipecat.pipeline.pipeline import Pipeline\n"
        "from pipecat.pipeline.worker import PipelineWorker\n"
        "from pipecat.runner.utils import create_transport\n"
        "from pipecat_deescalate import Deescalator\n\n"
        "async def bot(runner_args):\n"
        "    transport = await create_transport(runner_args, {})\n"
        "    @transport.event_handler('on_client_connected')\n"
        "    async def hello(_transport, _client): ...\n"
        "    key = os.environ['MY_SERVICE_KEY']\n"
        f"    {body}\n"
        "    raise RuntimeError('the bot ran on')\n"
    )
    return path


@pytest.mark.parametrize("name", ["02_add_to_pipeline.py", "03_full_bot.py"])
def test_the_examples_are_wired(name: str) -> None:
    """An example with a mistake in its wiring would be copied; no keys are needed."""
    done = deescalate("doctor", EXAMPLES / name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wired as it should be" in done.stdout


def test_a_mistake_is_printed_with_the_line_to_write(tmp_path: Path) -> None:
    """The owner finds out before a caller does; exit code 1 stops a deployment."""
    path = bot(
        tmp_path,
        "guard = Deescalator(); PipelineWorker(Pipeline([transport.input(), guard.speak()]))",
    )
    done = deescalate("doctor", path)
    assert done.returncode == 1
    assert "guard.listen() is not in the pipeline" in done.stdout
    assert "guard.listen(), llm" in done.stdout
    assert len(json.loads(deescalate("doctor", path, "--json").stdout)["complaints"]) >= 1


def test_a_bot_without_a_guard_is_said(tmp_path: Path) -> None:
    """A guard that was never made complains nowhere else."""
    done = deescalate("doctor", bot(tmp_path, "PipelineWorker(Pipeline([transport.input()]))"))
    assert (done.returncode, "makes no guard" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("x = 1\n", "has none of these functions"),
        ("async def bot(args): pass\n", "made no PipelineWorker"),
        ("async def bot(args): raise OSError('no\\nroom')\n", "OSError: no room"),
        ("def bot(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_file_that_is_no_bot_is_one_line(tmp_path: Path, content: str, error: str) -> None:
    """A traceback of the bot's own would hide what doctor has to say."""
    path = tmp_path / "bot.py"
    path.write_text(content)
    done = deescalate("doctor", path)
    assert done.returncode == 2
    assert error in done.stderr
    assert done.stderr.startswith(f"deescalate: {path}: ")
    assert done.stderr.count("\n") == 1


def test_no_file_at_all(tmp_path: Path) -> None:
    """A typing mistake in the path is one line, too."""
    done = deescalate("doctor", tmp_path / "nothing.py")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
