"""
What a matching did: counts per pass, facts and totals per side, and the hint where hardly a key meets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from reconcile.matching.keys.cleaning import KeyCleaning
from reconcile.matching.passes import PassCount
from reconcile.matching.proof import ControlTotals, SideFacts

FrameT = TypeVar("FrameT")


@dataclass(frozen=True, slots=True)
class MatchReport:
    """
    What a matching did and that it is complete.

    items         number of items
    control       rows and amounts per side and currency, in and out; they agree, else there would be no report
    payment_keys, order_keys   rows, null and blank values of each key
    passes        per pass: the rows that reached it with its key, duplicate and shared keys among them, pairs
    cleaning      per side and key with clean-up rules: the rows that each rule changed; empty without rules
    hint          where hardly a key is on both sides: what would make them meet, as counted
    """

    items: int
    control: ControlTotals
    payments: SideFacts
    orders: SideFacts
    passes: tuple[PassCount, ...]
    cleaning: tuple[KeyCleaning, ...] = ()
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "items": self.items,
            "control_totals": self.control.as_dict(),
            "key_profile": {
                "payments": [asdict(key) for key in self.payments.keys],
                "orders": [asdict(key) for key in self.orders.keys],
                "passes": [asdict(one) for one in self.passes],
                "cleaning": [asdict(one) for one in self.cleaning],
                "hint": self.hint,
            },
        }


@dataclass(frozen=True, slots=True)
class MatchResult(Generic[FrameT]):
    """Items as a frame of the kind that was given, and the report on them."""

    items: FrameT
    report: MatchReport
