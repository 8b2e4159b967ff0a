"""The decision after each caller turn: pure, total, and the same again from the same evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..models.readings import Cue, TurnReading
from .belief import add_evidence, belief_of, level_of, sounds_angry
from .config import MitigationPolicy, Rules
from .types import Action, CallState, Decision, Evidence, Level


def decide(
    state: CallState, evidence: Evidence, policy: MitigationPolicy
) -> tuple[CallState, Decision]:
    """What to do after this turn, and the state to pass with the next one.

    Never raises and reads no clock: a call's decisions replay from its evidence.
    """
    reading = evidence.reading
    rules = policy.rules_in(evidence.dialog_state)
    support = add_evidence(state.support, reading.log_likelihood_ratio, policy)
    belief = belief_of(support, policy)
    level = level_of(belief, state.level, rules)
    angry = sounds_angry(reading.log_likelihood_ratio, policy)
    now = _observe(state, reading, support, level, rules, angry=angry)
    choice = _choose(now, evidence, rules, angry=angry)
    decision = Decision(
        action=choice.action,
        level=now.level,
        reason=choice.reason,
        evidence=evidence,
        belief=belief,
        callback=choice.callback,
    )
    return _remember(now, choice), decision


@dataclass(frozen=True, slots=True)
class _Choice:
    action: Action
    reason: str
    callback: bool = False


def _observe(
    state: CallState,
    reading: TurnReading,
    support: float,
    level: Level,
    rules: Rules,
    *,
    angry: bool,
) -> CallState:
    """The state with this turn in it, before anything is done about it."""
    rested = state.turns_since_empathy >= rules.empathy_cooldown
    return replace(
        state,
        support=support,
        level=level,
        negative_turns=state.negative_turns + 1 if angry else 0,
        distressed_turns=state.distressed_turns + angry if level is Level.DISTRESSED else 0,
        empathy_streak=0 if rested else state.empathy_streak,
        human_offered=state.human_offered and level is Level.DISTRESSED,
        requests_for_human=state.requests_for_human + _asks_for_human(reading),
    )


def _choose(now: CallState, evidence: Evidence, rules: Rules, *, angry: bool) -> _Choice:
    reading = evidence.reading
    if now.transferred and not evidence.transfer_failed:
        return _Choice(Action.PROCEED, "already handed over")
    if _asks_for_human(reading):
        return _answer_request(now, evidence, rules)
    if not angry:
        return _Choice(Action.PROCEED, _why_calm(reading, now.level))
    return _answer_distress(now, evidence, rules)


def _answer_request(now: CallState, evidence: Evidence, rules: Rules) -> _Choice:
    """A caller who asks for a human gets one, whatever the dialog state allows otherwise."""
    times = now.requests_for_human
    reason = "asked for a human" + {1: "", 2: " twice"}.get(times, f" {times} times")
    if not evidence.agents_available or now.transferred:
        return _call_back(reason)
    if times > 1 or rules.explicit_request == "transfer":
        return _Choice(Action.TRANSFER, reason)
    return _Choice(Action.OFFER_HUMAN, reason)


def _answer_distress(now: CallState, evidence: Evidence, rules: Rules) -> _Choice:
    """The strongest action that the level calls for, the rules allow and was not yet taken."""
    reason = _why_angry(evidence.reading, now)
    highest = rules.highest_action.rank
    if now.level is Level.DISTRESSED:
        due = (
            now.distressed_turns >= rules.transfer_after
            and evidence.agents_available
            and not now.transferred
        )
        if due and Action.TRANSFER.rank <= highest:
            return _Choice(Action.TRANSFER, reason)
        if not now.human_offered and Action.OFFER_HUMAN.rank <= highest:
            if evidence.agents_available:
                return _Choice(Action.OFFER_HUMAN, reason)
            return _call_back(reason)
    if now.level is not Level.CALM and Action.EMPATHIZE.rank <= highest:
        if now.empathy_streak < rules.max_empathy:
            return _Choice(Action.EMPATHIZE, reason)
        return _Choice(Action.PROCEED, f"{reason}; enough empathy for now")
    return _Choice(Action.PROCEED, reason)


def _call_back(reason: str) -> _Choice:
    return _Choice(Action.OFFER_HUMAN, f"{reason}; nobody is available: a call back", True)


def _remember(now: CallState, choice: _Choice) -> CallState:
    empathized = choice.action is Action.EMPATHIZE
    return replace(
        now,
        empathy_streak=now.empathy_streak + empathized,
        turns_since_empathy=0 if empathized else now.turns_since_empathy + 1,
        human_offered=now.human_offered or choice.action is Action.OFFER_HUMAN,
        transferred=now.transferred or choice.action is Action.TRANSFER,
    )


def _asks_for_human(reading: TurnReading) -> bool:
    return any(cue is Cue.ASKS_FOR_HUMAN for cue, _ in reading.cues)


def _why_calm(reading: TurnReading, level: Level) -> str:
    if reading.log_likelihood_ratio is None:
        return f"nothing to go by: {reading.voice.reason or 'no reading'}"
    return "calm" if level is Level.CALM else "calming down"


def _why_angry(reading: TurnReading, now: CallState) -> str:
    parts = []
    if reading.voice.p_negative is not None:
        parts.append(f"voice {reading.voice.p_negative:.2f}")
    if reading.words is not None and reading.words.p_negative is not None:
        parts.append(f"words {reading.words.p_negative:.2f}")
    parts += [cue.value for cue, _ in reading.cues]
    if now.negative_turns > 1 and now.level is not Level.CALM:
        parts.append(f"{now.negative_turns} angry turns in a row")
    return ", ".join(parts)
