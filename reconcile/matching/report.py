"""
What a matching reports: that both sides came out as they went in, and how usable their keys were.

Values only, counted by the rooms around; what is about keys stands in `summary.json` as it is here. Amounts are minor
units of the currency beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from reconcile.matching.keys.rules import Side
from reconcile.matching.policy import KEYS
from reconcile.schema import Count, means

Key = Annotated[str, Meta(extra_json_schema={"enum": list(KEYS)})]


class KeyUse(Struct, frozen=True):
    """How one side uses one key."""

    key: Annotated[Key, means("the key")]
    rows: Annotated[Count, means("rows of the side")]
    null: Annotated[Count, means("rows without it")]
    blank: Annotated[Count, means("rows of whose key cleaning leaves nothing")]

    @property
    def without(self) -> int:
        """Rows that have no usable key."""
        return self.null + self.blank


class Pass(Struct, frozen=True):
    """One pass of the matching: what reached it with its key, and what it paired."""

    key: Annotated[Key, means("the key of the pass")]
    payments: Annotated[Count, means("payments that reached it with the key")]
    orders: Annotated[Count, means("order rows that reached it with the key")]
    payment_keys_twice: Annotated[Count, means("keys that several of these payments have")]
    order_keys_twice: Annotated[Count, means("keys that several of these order rows have")]
    shared_keys: Annotated[Count, means("keys on both sides")]
    pairs: Annotated[Count, means("pairs made")] = 0

    def with_lone(self, pairs: int) -> Pass:
        """Return the pass with the lone rows in it: `pairs` is the number of all its pairs."""
        lone = pairs - self.pairs
        return replace(
            self,
            payments=self.payments + lone,
            orders=self.orders + lone,
            shared_keys=self.shared_keys + lone,
            pairs=pairs,
        )


class KeyCleaning(Struct, frozen=True):
    """What the rules of `[match.clean]` did to one key of one side."""

    side: Annotated[Side, means("the side")]
    key: Annotated[Key, means("the key")]
    changed: Annotated[dict[str, Count], means("rule to the rows whose key it changed")]
    emptied: Annotated[Count, means("rows of whose key nothing was left")]
    collisions: Annotated[Count, means("keys that several spellings share")]


class KeyProfile(Struct, frozen=True):
    """How usable the keys are, and how they were used."""

    payments: Annotated[tuple[KeyUse, ...], means("keys of the payment side")]
    orders: Annotated[tuple[KeyUse, ...], means("keys of the order side")]
    passes: Annotated[tuple[Pass, ...], means("passes, in the order in which they were made")]
    cleaning: Annotated[tuple[KeyCleaning, ...], means("what clean-up rules did; empty without rules")] = ()
    hint: Annotated[str | None, means("what would make keys meet where hardly any do, as counted")] = None


@dataclass(frozen=True, slots=True)
class Total:
    """A control total of one side and currency: going in (`status` None), or of the items of one status."""

    side: str
    currency_code: str | None
    status: str | None
    rows: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class SideFacts:
    """One side as it went in: totals per currency, use of keys, and a sum over its rows' identities."""

    totals: tuple[Total, ...]
    keys: tuple[KeyUse, ...]
    identity: int

    @property
    def rows(self) -> int:
        """Number of rows of this side."""
        return sum(total.rows for total in self.totals)


@dataclass(frozen=True, slots=True)
class ControlTotals:
    """The proof: totals going in and coming out, which agree per side and currency."""

    incoming: tuple[Total, ...]
    outgoing: tuple[Total, ...]


@dataclass(frozen=True, slots=True)
class MatchReport:
    """
    What a matching did and that it is complete.

    items      number of items
    control    rows and amounts per side and currency, in and out; they agree, else there would be no report
    passes     per pass: the rows that reached it with its key, duplicate and shared keys among them, pairs
    cleaning   per side and key with clean-up rules: the rows that each rule changed; empty without rules
    hint       where hardly a key is on both sides: what would make them meet, as counted
    """

    items: int
    control: ControlTotals
    payments: SideFacts
    orders: SideFacts
    passes: tuple[Pass, ...]
    cleaning: tuple[KeyCleaning, ...] = ()
    hint: str | None = None

    @property
    def key_profile(self) -> KeyProfile:
        """What is reported of the keys."""
        return KeyProfile(self.payments.keys, self.orders.keys, self.passes, self.cleaning, self.hint)
