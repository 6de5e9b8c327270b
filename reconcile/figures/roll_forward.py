"""
Breaks since the run before: opening + new + reopened + changed − cleared = closing, in count and amount at stake.

Takes breaks with the columns `reconcile.history.identity.FOLLOWED`. Amounts are minor units per currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from reconcile.errors import ProofFailed
from reconcile.files.duckdb import connected
from reconcile.schema import Currency, means


class Moved(Struct, frozen=True):
    """Breaks that made one move, and what they put at stake."""

    count: Annotated[int, means("breaks; negative where changed ones went to another currency")]
    amount_cents: Annotated[int, means("at stake; negative where open breaks lost some of it")]


class RollForward(Struct, frozen=True, kw_only=True):
    """opening + new + reopened + changed - cleared = closing, in one currency, in count and amount."""

    currency_code: Currency
    opening: Annotated[Moved, means("breaks of the run before")]
    new: Annotated[Moved, means("breaks that never were one before")]
    reopened: Annotated[Moved, means("breaks that were one before, but not in the run before")]
    changed: Annotated[Moved, means("what breaks that go on gained or lost, or brought from another currency")] = Moved(
        0, 0
    )
    cleared: Annotated[Moved, means("breaks of the run before that are none now")]
    closing: Annotated[Moved, means("breaks of this run")]

    @property
    def moves(self) -> tuple[Moved, ...]:
        """The moves in the order of MOVES."""
        return (self.opening, self.new, self.reopened, self.changed, self.cleared, self.closing)


class Apart(NamedTuple):
    """
    What came and went, in two steps.

    by_rules  from the run before as published to the run before matched again with today's rules
    by_data   from there to this run
    """

    by_rules: tuple[RollForward, ...]
    by_data: tuple[RollForward, ...]


MOVES = tuple(name for name in RollForward.__struct_fields__ if name != "currency_code")
"""The moves of a roll-forward, in their order."""


def roll_forward(before: pa.Table | None, after: pa.Table) -> tuple[RollForward, ...]:
    """
    Return the roll-forward of each currency, by its code, null last.

    Takes the breaks of the latest earlier run, null when there is none, and those of this one. `changed` is what open
    breaks gained or lost since then, and counts those that came from or went to another currency: over all currencies
    these counts add up to 0. A break of which anything is left, whatever it looks like now, is not cleared.

    Raises ProofFailed when the equation does not hold: a bug in reconcile.
    """
    with connected() as connection:
        connection.register("before", after.slice(0, 0) if before is None else before)
        connection.register("after", after)
        rows = connection.execute(_MOVES_OF).fetchall()
    moved: dict[str | None, dict[str, Moved]] = {}
    for currency_code, move, count, cents in rows:
        moved.setdefault(currency_code, {})[move] = Moved(count, cents)
    lines = tuple(
        RollForward(currency_code=code, **{move: of.get(move, Moved(0, 0)) for move in MOVES})
        for code, of in moved.items()
    )
    for line in lines:
        _check(line)
    return lines


_MOVES_OF = """
    WITH opening AS (
        SELECT break_id, at_stake_currency_code AS currency_code, at_stake_cents AS cents FROM before
    ), closing AS (
        SELECT break_id, state, at_stake_currency_code AS currency_code, at_stake_cents AS cents FROM after
    ), moves AS (
        SELECT currency_code, 'opening' AS move, 1 AS n, cents FROM opening
        UNION ALL SELECT currency_code, state, 1, cents FROM closing WHERE state <> 'open'
        UNION ALL SELECT b.currency_code, 'changed',
            -(a.currency_code IS DISTINCT FROM b.currency_code)::INT, -b.cents
            FROM opening b JOIN closing a USING (break_id)
        UNION ALL SELECT a.currency_code, 'changed',
            (a.currency_code IS DISTINCT FROM b.currency_code)::INT, a.cents
            FROM closing a JOIN opening b USING (break_id)
        UNION ALL SELECT currency_code, 'cleared', 1, cents FROM opening ANTI JOIN closing USING (break_id)
        UNION ALL SELECT currency_code, 'closing', 1, cents FROM closing
    )
    SELECT currency_code, move, sum(n)::BIGINT, sum(cents) FROM moves
    GROUP BY ALL ORDER BY currency_code NULLS LAST
"""


def told_apart(published: pa.Table, again: pa.Table, tonight: pa.Table) -> Apart:
    """
    Return what rules did and what data did to the breaks.

    Takes breaks: those that the run before has published, those that it has when it is matched again with today's
    rules, and those of this run. A break that another table has known, but not the one before, was reopened.
    """
    return Apart(roll_forward(published, _since(published, again)), roll_forward(again, _since(again, tonight)))


def hang_together(whole: Sequence[RollForward], apart: Apart) -> bool:
    """Return whether both roll-forwards of `apart` make one way from the opening of the `whole` to its closing."""

    def moved(lines: Sequence[RollForward], name: str) -> dict[str | None, Moved]:
        found = {line.currency_code: getattr(line, name) for line in lines}
        return {code: move for code, move in found.items() if move != Moved(0, 0)}

    return (
        moved(whole, "opening") == moved(apart.by_rules, "opening")
        and moved(apart.by_rules, "closing") == moved(apart.by_data, "opening")
        and moved(apart.by_data, "closing") == moved(whole, "closing")
    )


def _since(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return the breaks `after` with their states since `before`."""
    is_open = pc.is_in(after["break_id"], value_set=before["break_id"].combine_chunks())
    not_open = pc.if_else(pc.equal(after["state"], pa.scalar("new")), "new", "reopened")
    return after.set_column(after.schema.get_field_index("state"), "state", pc.if_else(is_open, "open", not_open))


def _check(line: RollForward) -> None:
    for figure in Moved.__struct_fields__:
        opening, new, reopened, changed, cleared, closing = (getattr(move, figure) for move in line.moves)
        if opening + new + reopened + changed - cleared != closing:
            raise ProofFailed(f"roll-forward in {line.currency_code}: {figure} does not add up: {line}")
