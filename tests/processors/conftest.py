"""Every test of the processors ends clean."""

from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]
