"""A phone bot on a Twilio number that hands unhappy callers to a human.

It needs `pip install pipecat-deescalate "pipecat-ai[websocket]" uvicorn python-multipart` and these
environment variables:

    TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN   the account of the number
    TRANSFER_TO                             where humans answer, such as +15550100
    OPENAI_API_KEY                          any text, if OPENAI_BASE_URL is a server of yours
    OPENAI_BASE_URL                         an OpenAI-compatible server (optional)
    LLM_MODEL, STT_MODEL, TTS_MODEL, TTS_VOICE   the models on that server (optional)
    POLICY                                  gentle, balanced, eager or a file (optional)
    PUBLIC_HOST                             the host name under which Twilio reaches this bot

Run `python 03_full_bot.py` and set the number's webhook to https://PUBLIC_HOST/.
"""

import gc
import os

import uvicorn
from fastapi import FastAPI, Response, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

from pipecat_deescalate import Deescalator
from pipecat_deescalate.policies.transfer import TwilioTransfer

INSTRUCTIONS = (
    "You are the telephone assistant of a bank's card service. Answer in one or two short "
    "sentences, without formatting. You can block a card, order a new one and explain charges."
)
LINE = PipelineParams(audio_in_sample_rate=8_000, audio_out_sample_rate=8_000)
app = FastAPI()


@app.post("/")
async def answer() -> Response:
    """Tell Twilio to stream the call to this bot."""
    stream = f'<Stream url="wss://{os.environ["PUBLIC_HOST"]}/ws"/>'
    twiml = f"<Response><Connect>{stream}</Connect></Response>"
    return Response(twiml, media_type="application/xml")


@app.websocket("/ws")
async def call(websocket: WebSocket) -> None:
    """Run one call."""
    await websocket.accept()
    _, twilio = await parse_telephony_websocket(websocket)
    # With auto_hang_up, Pipecat's serializer needs the account, and hangs up when the bot ends.
    serializer = TwilioFrameSerializer(
        stream_sid=twilio["stream_id"],
        call_sid=twilio["call_id"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
        ),
    )
    await run_bot(transport, twilio["call_id"])


async def run_bot(transport: FastAPIWebsocketTransport, call_id: str) -> None:
    """Build and run the pipeline of one call."""
    guard = Deescalator(
        policy=os.environ.get("POLICY", "balanced"),
        transfer=TwilioTransfer(to=os.environ["TRANSFER_TO"]),
        call_id=call_id,
    )

    @guard.event_handler("on_decision")
    async def on_decision(_processor, decision) -> None:
        logger.info(f"{call_id} {decision.level}: {decision.action} ({decision.reason})")

    server = {"base_url": os.environ.get("OPENAI_BASE_URL")}
    user_aggregator, assistant_aggregator = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                OpenAISTTService(**server, settings=_named(OpenAISTTService, model="STT_MODEL")),
                user_aggregator,
                guard.listen(),
                OpenAILLMService(
                    **server,
                    settings=_named(
                        OpenAILLMService, model="LLM_MODEL", system_instruction=INSTRUCTIONS
                    ),
                ),
                guard.speak(),
                OpenAITTSService(
                    **server,
                    sample_rate=24_000,  # of the service; the transport resamples for the line
                    settings=_named(OpenAITTSService, model="TTS_MODEL", voice="TTS_VOICE"),
                ),
                transport.output(),
                guard.hand_over(),
                assistant_aggregator,
            ]
        ),
        params=LINE,
    )

    @transport.event_handler("on_client_connected")
    async def on_client_connected(_transport, _client) -> None:
        await worker.queue_frame(TTSSpeakFrame("Hello, this is the card service. How can I help?"))

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(_transport, _client) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    logger.info(f"{call_id} {guard.record().to_dict()['summary']}")


def _named(service, system_instruction=None, **variables):
    """The service's settings, from the environment variables that are set."""
    values = {key: os.environ[name] for key, name in variables.items() if name in os.environ}
    if system_instruction is not None:
        values["system_instruction"] = system_instruction
    return service.Settings(**values)


if __name__ == "__main__":
    Deescalator()  # loads the shared models, so that no caller waits for them
    gc.freeze()  # keeps Python's garbage collector, which stops every call, from scanning them
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8765")))
