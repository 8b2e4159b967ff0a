"""The library's logger: static messages, values in fields, silent until the application listens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import structlog

ROOT = "pipecat_deescalate"


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger on the standard library's `pipecat_deescalate.<name>`.

    Fields become attributes of the `LogRecord`, so any handler and formatter can use them.
    """
    import structlog  # noqa: PLC0415 - slow to import, and most programs never log

    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{ROOT}.{name}"),
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


# Without it, Python's handler of last resort would print warnings of an unconfigured library.
logging.getLogger(ROOT).addHandler(logging.NullHandler())
