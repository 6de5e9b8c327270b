"""
Order totals in another unit than the payments: pairs of which one amount is exactly 100 times the other.

One such pair is an order of its own; where all pairs are, the column was read in the wrong unit, and no report says
anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconcile.errors import OtherUnit
from reconcile.figures.tables import items_in
from reconcile.files.duckdb import connected
from reconcile.notices import Notice, notice

_PART = 0.2  # of the pairs, from which on it is worth a warning


@dataclass(frozen=True, slots=True)
class Hundredfold:
    """Pairs of two amounts in one currency, not both zero; those whose total is 100 times as much, or a hundredth."""

    pairs: int
    too_large: int
    too_small: int

    @property
    def unit(self) -> str:
        """The unit that the totals seem to be in."""
        return "minor" if self.too_large >= self.too_small else "major"

    @property
    def count(self) -> int:
        """The pairs that show it."""
        return max(self.too_large, self.too_small)

    @property
    def sentence(self) -> str:
        """The same in words."""
        which = "100 times the payment" if self.unit == "minor" else "a hundredth of the payment"
        if self.pairs == 1:
            return f"in the only pair, the order total is exactly {which}"
        return f"in {self.count:,} of {self.pairs:,} pairs, the order total is exactly {which}"


def hundredfold(items: Path) -> Hundredfold:
    """Return how many pairs of `items`, a file of ITEMS, are apart by exactly two decimals."""
    with connected() as connection:
        ((pairs, too_large, too_small),) = connection.execute(
            f"""SELECT count(*), count(*) FILTER (order_amount_cents::HUGEINT = 100 * payment_amount_cents::HUGEINT),
                       count(*) FILTER (payment_amount_cents::HUGEINT = 100 * order_amount_cents::HUGEINT)
                FROM {items_in(connection, items)}
                WHERE difference_cents IS NOT NULL AND (payment_amount_cents <> 0 OR order_amount_cents <> 0)"""
        ).fetchall()
    return Hundredfold(pairs, too_large, too_small)


def refuse_other_unit(found: Hundredfold, unit: str | None) -> None:
    """
    Raise OtherUnit when all pairs are apart by exactly two decimals; `unit` is what was declared.

    One pair alone stops nothing where the unit was declared: then it is an order of its own.
    """
    if not found.pairs or found.count < found.pairs or (found.pairs == 1 and unit is not None):
        return
    raise OtherUnit(
        f"orders: {found.sentence}: they are in another unit",
        hint=f"add --amount-unit {found.unit}, or set [orders] amount_unit; where one pair is right as it is, name the "
        "unit that it was read in",
    )


def unit_warnings(found: Hundredfold) -> list[Notice]:
    """Return a warning where a good part of the pairs are apart by exactly two decimals."""
    if not found.count or found.count < _PART * found.pairs:
        return []
    text = f"{found.sentence}: are some of the order files in another unit? --amount-unit names it"
    return [notice("other_unit", text, pairs=found.count, of=found.pairs)]
