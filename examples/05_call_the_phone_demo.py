"""Calls the phone demo as Twilio would, and prints what the bot sends back.

Start the bot with `deescalate demo --phone twilio`, then run
`python 05_call_the_phone_demo.py calls/synthetic_escalating.ogg left`. It sends the recording in
real time, as 8 kHz mu-law, as a phone line would. Needs `pip install "pipecat-deescalate[demo]"`.

DEMO_URL is the bot's address if it is not ws://127.0.0.1:7860/phone, DEMO_TOKEN its token.
"""

import asyncio
import base64
import json
import os
import sys
import time

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pipecat_deescalate.models.audio.recording import CallerChannel, read_audio

RATE = 8_000
FRAME = RATE // 50
GREETING_S = 4.0
LAST_ANSWER_S = 8.0
NOISE = 5e-4  # of full scale: phone lines have noise, and digital silence misleads voice detection


def to_mulaw(samples: np.ndarray) -> bytes:
    """G.711 mu-law of float samples in [-1, 1]."""
    pcm = np.clip(samples * 32_767, -32_635, 32_635).astype(np.int32)
    magnitude = np.abs(pcm) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8).tobytes()


def loud_s(mulaw: bytes) -> float:
    """Seconds that are louder than silence, which is a code near 0xFF or 0x7F."""
    code = ~np.frombuffer(mulaw, np.uint8) & 0x7F
    return float(np.count_nonzero(code > 0x20)) / RATE


async def speak(line: ClientConnection, samples: np.ndarray) -> None:
    """Send the recording in real time, with line noise before and after it."""
    noise = np.random.default_rng(0).normal(0, NOISE, round(LAST_ANSWER_S * RATE))
    mulaw = to_mulaw(np.concatenate((noise[: round(GREETING_S * RATE)], samples, noise)))
    due = time.monotonic()
    for at in range(0, len(mulaw), FRAME):
        payload = base64.b64encode(mulaw[at : at + FRAME]).decode()
        message = {"event": "media", "streamSid": "MZ1", "media": {"payload": payload}}
        await line.send(json.dumps(message))
        due += FRAME / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await line.close()


async def call(url: str, token: str, samples: np.ndarray) -> None:
    """Make the call and print the result."""
    start = {
        "streamSid": "MZ1",
        "callSid": "CAexample",
        "customParameters": {"token": token} if token else {},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
    }
    heard_s, cleared = 0.0, 0
    async with connect(url) as line:
        await line.send(json.dumps({"event": "connected", "protocol": "Call"}))
        await line.send(json.dumps({"event": "start", "streamSid": "MZ1", "start": start}))
        speaking = asyncio.create_task(speak(line, samples))
        try:
            async for message in line:
                event = json.loads(message)
                if event["event"] == "media":
                    heard_s += loud_s(base64.b64decode(event["media"]["payload"]))
                cleared += event["event"] == "clear"
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        transferred = line.close_reason == "transferred"
        if line.close_code not in (1000, 1005):
            sys.exit(f"{url}: {line.close_reason or line.close_code}")
    print(f"the bot was heard for {heard_s:.1f} s")
    print(f"its audio was cleared {cleared} times, because the caller spoke over it")
    print(f"transfers: {int(transferred)}")


def main() -> None:
    """Read the command line."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} RECORDING [left|right]")
    side = CallerChannel(sys.argv[2]) if len(sys.argv) > 2 else None
    samples = read_audio(sys.argv[1], caller_channel=side, sample_rate=RATE)
    url = os.environ.get("DEMO_URL", "ws://127.0.0.1:7860/phone")
    try:
        asyncio.run(call(url, os.environ.get("DEMO_TOKEN", ""), samples))
    except (OSError, ConnectionClosed) as error:
        sys.exit(f"{url}: {error}")


if __name__ == "__main__":
    main()
