"""When the bot spoke in a live call, and whether the caller interrupted it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from ...models.conversation import BARGE_IN_S


@dataclass(slots=True)
class _BotSpeech:
    """A stretch of the bot's speech; `cut` if an interruption ended it."""

    started_s: float
    stopped_s: float = math.inf
    cut: bool = False


class BotSpeechTracker:
    """The bot's speech beside the caller's turns.

    Times are seconds of the caller's audio. Events come in the order in which they happen.
    """

    def __init__(self) -> None:
        self._bot: deque[_BotSpeech] = deque(maxlen=16)
        self._turns_s = deque([-math.inf] * 3, maxlen=3)

    def bot_started(self, at_s: float) -> None:
        """The caller hears the bot from now on."""
        self._bot.append(_BotSpeech(at_s))

    def bot_stopped(self, at_s: float) -> None:
        """The bot is silent: it finished, or was interrupted."""
        if self._bot:
            self._bot[-1].stopped_s = min(self._bot[-1].stopped_s, at_s)

    def interrupted(self) -> None:
        """The bot's speech is cut off."""
        if self._bot and self._bot[-1].stopped_s == math.inf:
            self._bot[-1].cut = True

    def caller_began(self, at_s: float) -> None:
        """The caller began a turn at this time, which may be a moment ago."""
        self._turns_s.append(at_s)

    def caller_did_not_begin(self) -> None:
        """What began last was no turn."""
        self._turns_s.pop()
        self._turns_s.appendleft(-math.inf)

    @property
    def prompted(self) -> bool:
        """Whether the bot began to speak between the starts of the last turn and of this one."""
        before_s, turn_s = self._turns_s[-2], self._turns_s[-1]
        return any(before_s <= one.started_s < turn_s for one in self._bot)

    def barge_in(self, now_s: float) -> bool:
        """Whether the caller began this turn while the bot spoke, as `CallReader.read` has it.

        A bot that was cut off counts however short the overlap: it stopped for the caller.
        """
        turn_s = self._turns_s[-1]
        before = [one for one in self._bot if one.started_s < turn_s]
        if not before:
            return False
        overlap_s = min(before[-1].stopped_s, now_s) - turn_s
        return overlap_s > BARGE_IN_S or (before[-1].cut and overlap_s > 0)
