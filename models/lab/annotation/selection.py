"""Which turns are worth labelling: rules in SQL, a random supplement, and K others for each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ...errors import UnreadableInputError
from .call_table import HEARABLE, Calls

RULES = Path(__file__).parent / "rules"
RANDOM, NEGATIVE = "random", "negative"
"""The reasons of turns that no rule chose."""


class RuleError(UnreadableInputError):
    """A rule file cannot be used; it is one query giving call_id and turn, after a comment."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One query over `turns` and `calls`; `finds` is the comment on its first line."""

    name: str
    finds: str
    query: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much is chosen.

    `per_rule` bounds the turns of each rule, None takes all; `random` turns come from all with
    audio; `negatives` is K, how many turns that no rule found go with each that a rule chose.
    """

    seed: int = 0
    per_rule: int | None = None
    random: int = 500
    negatives: int = 1


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many turns with audio one rule found, and how many of them were chosen."""

    name: str
    finds: str
    sha256: str
    found: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen and why; the rows are the table `selection` of the calls' database.

    `hearable` are the caller's turns with audio; the others cannot be chosen. A turn with several
    reasons counts once in `chosen`.
    """

    sampling: Sampling
    calls: int
    turns: int
    caller_turns: int
    hearable: int
    rules: tuple[RuleCount, ...]
    targeted: int
    random: int
    negatives: int
    chosen: int


def load_rules(folder: Path = RULES) -> tuple[Rule, ...]:
    """Read the `*.sql` files of a folder, by name.

    Raises:
        RuleError: there are none, or one does not start with a comment.
    """
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise RuleError(folder, "no *.sql files there")
    return tuple(_read_rule(path) for path in paths)


def _read_rule(path: Path) -> Rule:
    try:
        query = path.read_text(encoding="utf-8").strip().rstrip(";")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(path, "cannot be read as UTF-8 text") from error
    comment = query.partition("\n")[0]
    if not comment.startswith("-- "):
        raise RuleError(path, "line 1: a comment is needed, -- and what the rule finds")
    if not path.stem.isidentifier():
        raise RuleError(path, "name it with letters, digits and _ alone")
    if path.stem in (RANDOM, NEGATIVE):
        raise RuleError(path, f"the name {path.stem} is taken")
    return Rule(path.stem, comment.removeprefix("-- "), query)


def select(calls: Calls, rules: Sequence[Rule], sampling: Sampling) -> Selection:
    """Choose turns into the table `selection` (call_id, turn, reasons); repeatable by its seed.

    Raises:
        RuleError: a rule is not a query that gives `call_id` and `turn`.
    """
    database = calls.database
    database.execute(
        "CREATE TEMP TABLE candidates AS SELECT call_id, turn FROM turns"  # noqa: S608 - ours
        f" WHERE speaker = 'caller' AND {HEARABLE}"
    )
    database.execute("CREATE TEMP TABLE found (call_id VARCHAR, turn BIGINT, rule VARCHAR)")
    database.execute("CREATE TEMP TABLE picked (call_id VARCHAR, turn BIGINT, reason VARCHAR)")
    counts = tuple(_apply(calls, rule, sampling) for rule in rules)
    (targeted,) = _count(calls, "SELECT count(DISTINCT (call_id, turn)) FROM picked")
    _pick(calls, RANDOM, "candidates", sampling.random, sampling.seed)
    others = "(SELECT * FROM candidates ANTI JOIN found USING (call_id, turn))"
    _pick(calls, NEGATIVE, others, sampling.negatives * targeted, sampling.seed)
    database.execute(
        "CREATE TABLE selection AS SELECT call_id, turn, list(reason ORDER BY reason) AS reasons"
        " FROM picked GROUP BY call_id, turn ORDER BY call_id, turn"
    )
    sizes = _count(
        calls,
        "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM turns),"
        " (SELECT count(*) FROM turns WHERE speaker = 'caller'),"
        " (SELECT count(*) FROM candidates),"
        " (SELECT count(*) FROM picked WHERE reason = ?),"
        " (SELECT count(*) FROM picked WHERE reason = ?),"
        " (SELECT count(*) FROM selection)",
        [RANDOM, NEGATIVE],
    )
    return Selection(
        sampling=sampling,
        calls=sizes[0],
        turns=sizes[1],
        caller_turns=sizes[2],
        hearable=sizes[3],
        rules=counts,
        targeted=targeted,
        random=sizes[4],
        negatives=sizes[5],
        chosen=sizes[6],
    )


def _apply(calls: Calls, rule: Rule, sampling: Sampling) -> RuleCount:
    """Find a rule's turns, and pick all of them or `per_rule`."""
    try:
        calls.database.execute(
            "INSERT INTO found SELECT DISTINCT call_id, turn, ? FROM"  # noqa: S608 - that is what a rule is
            f" (\n{rule.query}\n) SEMI JOIN candidates USING (call_id, turn)",
            [rule.name],
        )
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise RuleError(f"{rule.name}.sql", reason) from error
    (found,) = _count(calls, "SELECT count(*) FROM found WHERE rule = ?", [rule.name])
    limit = found if sampling.per_rule is None else min(found, sampling.per_rule)
    mine = f"(SELECT call_id, turn FROM found WHERE rule = '{rule.name}')"  # noqa: S608 - a file's stem
    _pick(calls, rule.name, mine, limit, sampling.seed)
    digest = hashlib.sha256(rule.query.encode()).hexdigest()[:12]
    return RuleCount(rule.name, rule.finds, digest, found, limit)


def _pick(calls: Calls, reason: str, source: str, limit: int, seed: int) -> None:
    """Pick turns at random: by hash, which is the same on any number of threads."""
    calls.database.execute(
        f"INSERT INTO picked SELECT call_id, turn, ? FROM {source}"  # noqa: S608 - ours
        " ORDER BY md5(concat_ws(':', ?, call_id, turn)), call_id, turn LIMIT ?",
        [reason, f"{seed}:{reason}", limit],
    )


def _count(calls: Calls, query: str, values: Sequence[object] = ()) -> list[int]:
    return [int(value) for value in calls.rows(query, values)[0]]
