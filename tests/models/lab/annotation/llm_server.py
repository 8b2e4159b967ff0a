"""A real HTTP server on loopback that answers as an annotating model does, or fails as one.

`python llm_server.py PORT SECONDS` serves until it is killed, takes SECONDS for an answer, wants no
key, and calls what is bright negative.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import math
import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

KEY = "sk-test-7Q4rZ"
Act = Callable[[int, str], str]
"""Takes how often this question was asked before, and its hash; says what to do."""


def faithful(_times: int, _question: str) -> str:
    return "answer"


Judge = Callable[[Any, str], float]
"""Takes a request's body and its hash; gives the probability of negative."""


def by_hash(_body: Any, question: str) -> float:
    return 0.9 if int(question[:2], 16) % 4 == 0 else 0.1


def by_loudness(body: Any, _question: str) -> float:
    """Even odds 20 dB below full scale."""
    samples, _ = _audio(body)
    return _odds(float(np.mean(np.square(samples))), 20.0)


def by_brightness(body: Any, _question: str) -> float:
    """Even odds where 1 kHz and more is 6 dB below the rest."""
    samples, rate = _audio(body)
    power = np.square(np.abs(np.fft.rfft(samples)))
    dark, bright = np.split(power, [samples.size * 1_000 // rate])
    return _odds(bright.sum() / (dark.sum() + 1e-9), 6.0)


def _audio(body: Any) -> tuple[NDArray[np.float64], int]:
    if "contents" in body:
        wav = body["contents"][0]["parts"][0]["inlineData"]["data"]
    else:
        wav = body["messages"][1]["content"][0]["input_audio"]["data"]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(wav)))
    return samples, rate


def _odds(power: float, below_db: float) -> float:
    level_db = 10 * math.log10(power + 1e-12)
    return round(1 / (1 + math.exp(-(level_db + below_db) / 2)), 3)


class LlmServer:
    """Serves in a thread of its own; use it with `with`.

    `asked` counts requests by question, `answered` those that got a proper answer; `bodies` are
    the last requests as JSON. What `act` may say: answer, unparsable, garbage, reset, half, slow,
    `429`, `429 retry-after`, or another status.
    """

    def __init__(
        self,
        act: Act = faithful,
        *,
        judge: Judge = by_hash,
        key: str | None = KEY,
        port: int = 0,
        delay_s: float = 0.0,
    ) -> None:
        self.asked = Counter[str]()
        self.answered = Counter[str]()
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.in_flight = self.most_in_flight = 0
        self.port = port
        self._act = act
        self._judge = judge
        self._key = key
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", self.port, limit=1 << 26)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in lines[1:])
                }
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                if not await self._answer(lines[0].split()[1], headers, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, path: str, headers: dict[str, str], body: Any, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return whether the connection stays open."""
        question = hashlib.sha256(json.dumps(body).encode()).hexdigest()
        times, self.asked[question] = self.asked[question], self.asked[question] + 1
        self.bodies = [*self.bodies[-20:], body]
        self.paths = [*self.paths[-20:], path]
        given = headers.get("x-goog-api-key"), headers.get("authorization", "")[7:]
        if self._key is not None and self._key not in given:
            return await self._send(writer, 401, {"error": {"message": f"bad key {headers}"}})
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._delay_s)
            return await self._do(self._act(times, question), question, path, body, writer)
        finally:
            self.in_flight -= 1

    async def _do(
        self, act: str, question: str, path: str, body: Any, writer: asyncio.StreamWriter
    ) -> bool:
        answer = self._gemini if "generateContent" in path else self._openai
        if act == "answer":
            self.answered[question] += 1
            return await self._send(writer, 200, answer(self._label(question, body)))
        if act == "unparsable":
            return await self._send(writer, 200, answer("I would say: negative!"))
        if act == "garbage":
            return await self._send(writer, 200, {"hello": "there"})
        if act == "reset":
            writer.transport.abort()
            return False
        if act == "half":
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choi')
            await writer.drain()
            return False
        if act == "slow":
            await asyncio.sleep(30)
        status, _, hint = act.partition(" ")
        extra = "Retry-After: 0.2\r\n" if hint == "retry-after" else ""
        details = [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "0.2s"}]
        error = {"error": {"message": f"echo {KEY}", "details": details if status == "429" else []}}
        return await self._send(writer, int(status), error, extra)

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, status: int, body: Any, extra: str = "") -> bool:
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{extra}\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        return True

    def _label(self, question: str, body: Any) -> str:
        p = self._judge(body, question)
        answer = {"label": "negative" if p > 0.5 else "non_negative", "p_negative": p}
        if "reasoning" in json.dumps(body.get("tools", body.get("generationConfig"))):
            answer = {"reasoning": "the voice rises", **answer}
        return json.dumps(answer)

    @staticmethod
    def _openai(text: str) -> Any:
        call = {"id": "c", "type": "function", "function": {"name": "annotate", "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {
            "choices": [{"message": message, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }

    @staticmethod
    def _gemini(text: str) -> Any:
        return {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
            ],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10},
        }


if __name__ == "__main__":
    with LlmServer(
        judge=by_brightness, key=None, port=int(sys.argv[1]), delay_s=float(sys.argv[2])
    ):
        threading.Event().wait()
