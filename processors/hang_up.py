"""Serializers that hang up when their pipeline ends: that would end a call just handed over."""

from __future__ import annotations

import copy
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor

from .context import parts_of


class HangUps:
    """The automatic hang-ups of one pipeline; Pipecat has no setting for them during a call."""

    def __init__(self) -> None:
        self._held: list[tuple[Any, Any]] = []

    def hold(self, pipeline: FrameProcessor) -> None:
        """Let the pipeline end without hanging up, until `release`."""
        for part in parts_of(pipeline):
            serializer: Any = getattr(getattr(part, "_params", None), "serializer", None)
            settings = getattr(serializer, "_params", None)
            if getattr(settings, "auto_hang_up", False):
                self._held.append((serializer, settings))
                serializer._params = copy.copy(settings)  # calls may share theirs
                serializer._params.auto_hang_up = False

    def release(self) -> None:
        """Let it hang up again."""
        for serializer, settings in self._held:
            serializer._params = settings
        self._held.clear()
