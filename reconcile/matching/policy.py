"""
What may be decided about a match: the statuses, their kinds, and the settings of one matching.

Knows which statuses exist and which settings make sense together. Does not match anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType

from reconcile.errors import SettingsError
from reconcile.matching.keys.rules import NO_RULES, CleanRules
from reconcile.schema import AMOUNT_BASES

KEYS = ("reference", "order_number", "order_id")
"""Columns both sides may have in common, in the order in which they are tried."""

PERCENT_DECIMALS = 4
"""Decimals a tolerance in percent may have: with more, its exact integer arithmetic would leave 64 bits."""


class Kind(StrEnum):
    """What a reader does with an item."""

    OK = "ok"  # nothing
    BREAK = "break"  # look at it
    TIMING = "timing"  # wait for the other side
    INFO = "info"  # know that it was seen


class Status(StrEnum):
    """The verdict on one item. Pairs first, then rows that found no partner; each group in ladder order."""

    AMOUNT_UNKNOWN = "amount_unknown"
    CURRENCY_MISMATCH = "currency_mismatch"
    STATUS_MISMATCH = "status_mismatch"
    AMOUNT_MISMATCH = "amount_mismatch"
    FLAGGED_BY_API = "flagged_by_api"
    WITHIN_TOLERANCE = "within_tolerance"
    MATCHED = "matched"
    WRONG_MODE = "wrong_mode"
    SUPERSEDED = "superseded"
    NOT_PLACED = "not_placed"
    DUPLICATE_REFERENCE = "duplicate_reference"
    MISSING_REFERENCE = "missing_reference"
    AWAITING_ORDER = "awaiting_order"
    MISSING_ORDER = "missing_order"
    AWAITING_PAYMENT = "awaiting_payment"
    MISSING_PAYMENT = "missing_payment"


KIND_OF: Mapping[Status, Kind] = MappingProxyType(
    {
        **dict.fromkeys(Status, Kind.BREAK),
        Status.MATCHED: Kind.OK,
        Status.WITHIN_TOLERANCE: Kind.OK,
        Status.SUPERSEDED: Kind.INFO,
        Status.NOT_PLACED: Kind.INFO,
        Status.AWAITING_ORDER: Kind.TIMING,
        Status.AWAITING_PAYMENT: Kind.TIMING,
    }
)
"""The kind of every status; whatever is not named otherwise is a break."""


MEANING_OF: Mapping[Status, str] = MappingProxyType(
    {
        Status.MATCHED: "the amounts are equal",
        Status.WITHIN_TOLERANCE: "the amounts differ, by no more than the tolerance",
        Status.AMOUNT_MISMATCH: "the amounts differ by more than the tolerance",
        Status.CURRENCY_MISMATCH: "the currencies differ, so no difference is computed",
        Status.STATUS_MISMATCH: "the books have a total, but the order is cancelled, voided, refunded, or never placed",
        Status.FLAGGED_BY_API: "the amounts agree, but Commerce Layer says that the payment's intent had another",
        Status.AMOUNT_UNKNOWN: "an amount or a currency is missing on one side",
        Status.DUPLICATE_REFERENCE: "the key is there on both sides, but not once on each: nobody is paired",
        Status.MISSING_REFERENCE: "the row has no reference, and no other key has paired it",
        Status.MISSING_ORDER: "a payment of a placed order that is not in the books",
        Status.MISSING_PAYMENT: "a total in the books without a payment",
        Status.WRONG_MODE: "a test payment among live ones, or the reverse",
        Status.AWAITING_ORDER: "a payment so young that its order total may still come",
        Status.AWAITING_PAYMENT: "an order total so young that its payment may still come",
        Status.SUPERSEDED: "another payment of the same order took its place",
        Status.NOT_PLACED: "an abandoned checkout: no order, or one that was never placed",
    }
)
"""What each status says, for people."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """
    How far payment and order may differ and still agree.

    `cents` is minor units of the currency, `percent` a decimal text ("0.5") of the order's amount. Both given,
    the smaller allowance holds; neither, the amounts must be equal.
    """

    cents: int | None = None
    percent: str | None = None

    def __post_init__(self) -> None:
        if self.cents is not None and (type(self.cents) is not int or not 0 <= self.cents < 2**62):
            raise SettingsError(f"tolerance_cents {self.cents} is not a number of minor units from 0 on")
        if self.percent is not None:
            object.__setattr__(self, "percent", _percent_text(self.percent))

    def fraction(self) -> tuple[int, int]:
        """Return `percent` as exact numerator and denominator: "0.25" is (25, 10000). Needs a percent."""
        assert self.percent is not None, "asked only where a percent is set"
        decimal = Decimal(self.percent)
        decimals = -min(int(decimal.as_tuple().exponent), 0)
        return int(decimal.scaleb(decimals)), 10 ** (decimals + 2)


@dataclass(frozen=True, slots=True)
class MatchPolicy:
    """
    The settings of one matching. Raises SettingsError when they cannot hold together.

    on                the keys to try, in order, out of KEYS
    amount_basis      the column of PAYMENTS that stands for a payment's amount
    tolerance_cents   minor units; tolerance_percent: decimal text, percent of the order's amount
    per_currency      tolerances of single currencies; what one leaves out is taken from the general two
    order_lag_days    how many days an order row may come after its payment (awaiting_order)
    payment_lag_days  how many days a payment may come after its order row (awaiting_payment)
    group_orders      "sum": order rows of one key and currency count as one order with their summed amount
    mode              live or test: payments of the other mode are set aside; None: none are
    clean             what makes no difference between two references or order numbers
    """

    on: tuple[str, ...] = KEYS
    amount_basis: str = AMOUNT_BASES[0]
    tolerance_cents: int | None = None
    tolerance_percent: str | None = None
    per_currency: Mapping[str, Tolerance] = field(default_factory=dict)
    payment_lag_days: int = 0
    order_lag_days: int = 0
    group_orders: str | None = None
    mode: str | None = None
    clean: CleanRules = NO_RULES

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", tuple(self.on))
        if not self.on or len(set(self.on)) != len(self.on) or not set(self.on) <= set(KEYS):
            raise SettingsError(f"match on {list(self.on)} is not a choice of {', '.join(KEYS)}, each at most once")
        if self.amount_basis not in AMOUNT_BASES:
            raise SettingsError(f'amount_basis "{self.amount_basis}" is none of {", ".join(AMOUNT_BASES)}')
        if self.group_orders not in (None, "sum"):
            raise SettingsError(f'group_orders "{self.group_orders}" is not "sum"')
        if self.mode not in (None, "live", "test"):
            raise SettingsError(f'mode "{self.mode}" is neither live nor test')
        for name in ("payment_lag_days", "order_lag_days"):
            if not 0 <= getattr(self, name) <= 3650:
                raise SettingsError(f"{name} {getattr(self, name)} is not a number of days from 0 to 3650")
        object.__setattr__(self, "tolerance_percent", self.tolerance.percent)
        object.__setattr__(self, "per_currency", MappingProxyType(dict(sorted(self.per_currency.items()))))

    @property
    def tolerance(self) -> Tolerance:
        """The tolerance of every currency that has none of its own."""
        return Tolerance(cents=self.tolerance_cents, percent=self.tolerance_percent)

    def tolerance_of(self, currency_code: str) -> Tolerance:
        """Return the tolerance of one currency: its own, completed by the general one."""
        general, own = self.tolerance, self.per_currency.get(currency_code, Tolerance())
        return Tolerance(
            cents=general.cents if own.cents is None else own.cents,
            percent=general.percent if own.percent is None else own.percent,
        )

    def as_dict(self) -> dict[str, object]:
        """Return the settings as plain JSON values, for a manifest."""
        return {
            "on": list(self.on),
            "amount_basis": self.amount_basis,
            "tolerance_cents": self.tolerance_cents,
            "tolerance_percent": self.tolerance_percent,
            "per_currency": {
                code: {"tolerance_cents": own.cents, "tolerance_percent": own.percent}
                for code, own in self.per_currency.items()
            },
            "payment_lag_days": self.payment_lag_days,
            "order_lag_days": self.order_lag_days,
            "group_orders": self.group_orders,
            "mode": self.mode,
            "clean": self.clean.as_dict(),
        }


def _percent_text(percent: object) -> str:
    problem = (
        f'tolerance_percent "{percent}" is not a decimal number from 0 to 100 with at most {PERCENT_DECIMALS} decimals'
    )
    if isinstance(percent, float | bool):  # a float is not the number that was written: 0.1 is 0.1000000000000000055…
        problem = f"tolerance_percent {percent} is a float, which is not exactly the number that was written"
        raise SettingsError(problem, hint=f'write it as text: tolerance_percent = "{percent}"')
    try:
        decimal = Decimal(str(percent))
    except InvalidOperation:
        raise SettingsError(problem) from None
    if not decimal.is_finite() or not 0 <= decimal <= 100:
        raise SettingsError(problem)
    if int(decimal.as_tuple().exponent) < -PERCENT_DECIMALS:
        raise SettingsError(problem)
    return format(decimal, "f")
