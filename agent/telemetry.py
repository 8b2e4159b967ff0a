"""Logging for the commands. The library itself logs to `pipecat_deescalate` and sets up nothing."""

from __future__ import annotations

import logging
import sys

import structlog
from loguru import logger


def configure_logging(*, verbose: bool = False) -> None:
    """Send our log, and Pipecat's, to stderr: warnings and worse, or everything if `verbose`."""
    level = logging.DEBUG if verbose else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
            ],
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
        )
    )
    ours = logging.getLogger("pipecat_deescalate")
    ours.handlers = [handler]
    ours.setLevel(level)
    ours.propagate = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    _bridge_pipecat(ours, level)


def _bridge_pipecat(ours: logging.Logger, level: int) -> None:
    logger.remove()
    logger.add(
        lambda message: ours.log(level, str(message).rstrip()), level=level, format="{message}"
    )
