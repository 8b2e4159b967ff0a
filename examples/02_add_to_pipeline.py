"""A voice bot in the browser that notices a caller's frustration and acknowledges it in its reply.

All lines without `guard` are an ordinary Pipecat bot. It needs
`pip install pipecat-deescalate "pipecat-ai[runner,webrtc]"` and OPENAI_API_KEY (for speech
recognition, language model and speech; OPENAI_BASE_URL names another OpenAI-compatible server).
Run `python 02_add_to_pipeline.py`, open http://localhost:7860/client, and complain.
"""

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.workers.runner import WorkerRunner

from pipecat_deescalate import Deescalator
from pipecat_deescalate.policies.transfer import FunctionTransfer, TransferRequest

INSTRUCTIONS = (
    "You are the telephone assistant of an electricity company. Answer in one or two short "
    "sentences, without formatting. You can look up bills and move appointments."
)


async def put_through(request: TransferRequest) -> None:
    """Replace with your own desk: a queue, a SIP transfer, `TwilioTransfer(to=...)` on a phone."""
    logger.info(f"To a human, because: {request.reason}\n{request.summary}")


async def run_bot(transport: BaseTransport, runner_args: RunnerArguments) -> None:
    """Run one call."""
    guard = Deescalator(policy="balanced", transfer=FunctionTransfer(put_through))

    @guard.event_handler("on_decision")
    async def on_decision(_processor, decision) -> None:
        logger.info(f"{decision.level}: {decision.action} ({decision.reason})")

    user_aggregator, assistant_aggregator = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )
    pipeline = Pipeline(
        [
            transport.input(),
            OpenAISTTService(),
            user_aggregator,
            guard.listen(),  # reads the turn, decides, guides the LLM
            OpenAILLMService(settings=OpenAILLMService.Settings(system_instruction=INSTRUCTIONS)),
            guard.speak(),  # rewrites scripted prompts
            OpenAITTSService(),
            transport.output(),
            guard.hand_over(),  # runs the transfer after its announcement
            assistant_aggregator,
        ]
    )
    worker = PipelineWorker(pipeline)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(_transport, _client) -> None:
        await worker.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(_transport, _client) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()
    logger.info(f"The call: {guard.record().to_dict()['summary']}")


async def bot(runner_args: RunnerArguments) -> None:
    """Pipecat's runner calls this for each caller."""
    transport = await create_transport(
        runner_args,
        {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)},
    )
    await run_bot(transport, runner_args)


if __name__ == "__main__":
    from pipecat.runner.run import main

    main()
