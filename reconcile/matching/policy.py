"""
What may be decided about a match: the statuses, their kinds, and the settings of one matching.

Knows which statuses exist and which settings make sense together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from reconcile.errors import SettingsError
from reconcile.matching.keys.rules import NO_RULES, CleanRules
from reconcile.matching.population import EVERYTHING, Population
from reconcile.matching.tolerance import Tolerance, scope_of
from reconcile.money import AMOUNT_BASES, ORDER_TOTALS

KEYS = ("reference", "order_reference", "order_number", "order_id")
"""What both sides may have in common, in the order in which it is tried. All are columns of payments."""

ORDER_KEYS = ("reference", "order_number", "order_id")
"""Those that are columns of order rows. `order_reference`, of a payment's order, is compared with their reference."""

SIDE_KEYS = {"payments": KEYS, "orders": ORDER_KEYS}


def order_column(key: str) -> str:
    """Return the column of order rows that `key` is compared with: that of its name, or their reference."""
    return "reference" if key == "order_reference" else key


MOST_LAG_DAYS = 3650


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
    METHOD_MISMATCH = "method_mismatch"
    NOT_PAID = "not_paid"
    PARTLY_PAID = "partly_paid"
    MONEY_UNKNOWN = "money_unknown"
    REFUNDED_SINCE = "refunded_since"
    FLAGGED_BY_API = "flagged_by_api"
    WITHIN_TOLERANCE = "within_tolerance"
    MATCHED = "matched"
    WRONG_MODE = "wrong_mode"
    SUPERSEDED = "superseded"
    NOT_PLACED = "not_placed"
    NOTHING_DUE = "nothing_due"
    UNPAID = "unpaid"
    NOT_LISTED = "not_listed"
    OTHER_METHOD = "other_method"
    OUT_OF_PERIOD = "out_of_period"
    NOTHING_BOOKED = "nothing_booked"
    DUPLICATE_REFERENCE = "duplicate_reference"
    MISSING_REFERENCE = "missing_reference"
    AWAITING_ORDER = "awaiting_order"
    MISSING_ORDER = "missing_order"
    AWAITING_PAYMENT = "awaiting_payment"
    MISSING_PAYMENT = "missing_payment"


STATUS_ORDER = tuple(sorted(Status))
"""Statuses as they sort; a status travels as its place among them."""

KIND_OF: Mapping[Status, Kind] = MappingProxyType(
    {
        **dict.fromkeys(Status, Kind.BREAK),
        Status.MATCHED: Kind.OK,
        Status.WITHIN_TOLERANCE: Kind.OK,
        Status.SUPERSEDED: Kind.INFO,
        Status.NOT_PLACED: Kind.INFO,
        Status.NOTHING_DUE: Kind.INFO,
        Status.UNPAID: Kind.INFO,
        Status.NOTHING_BOOKED: Kind.INFO,
        Status.NOT_LISTED: Kind.INFO,
        Status.OTHER_METHOD: Kind.INFO,
        Status.OUT_OF_PERIOD: Kind.INFO,
        Status.AWAITING_ORDER: Kind.TIMING,
        Status.AWAITING_PAYMENT: Kind.TIMING,
    }
)
"""The kind of every status; whatever is not named otherwise is a break."""


LABEL_OF: Mapping[str, str] = MappingProxyType(
    {
        Status.MATCHED: "Matched",
        Status.WITHIN_TOLERANCE: "Within tolerance",
        Status.AMOUNT_MISMATCH: "Amount differs",
        Status.CURRENCY_MISMATCH: "Currency differs",
        Status.STATUS_MISMATCH: "Order status conflict",
        Status.METHOD_MISMATCH: "Payment method differs",
        Status.NOT_PAID: "Not paid",
        Status.PARTLY_PAID: "Partly paid",
        Status.MONEY_UNKNOWN: "Money unknown",
        Status.REFUNDED_SINCE: "Refunded since",
        Status.FLAGGED_BY_API: "Flagged, amounts agree",
        Status.AMOUNT_UNKNOWN: "Amount unknown",
        Status.DUPLICATE_REFERENCE: "Duplicate reference",
        Status.MISSING_REFERENCE: "No reference",
        Status.MISSING_ORDER: "No order found",
        Status.MISSING_PAYMENT: "No payment found",
        Status.WRONG_MODE: "Wrong mode",
        Status.AWAITING_ORDER: "Awaiting order",
        Status.AWAITING_PAYMENT: "Awaiting payment",
        Status.SUPERSEDED: "Superseded",
        Status.NOT_PLACED: "Order not placed",
        Status.NOTHING_DUE: "Nothing due",
        Status.UNPAID: "Unpaid",
        Status.NOTHING_BOOKED: "Nothing booked",
        Status.NOT_LISTED: "Not listed",
        Status.OTHER_METHOD: "Other payment method",
        Status.OUT_OF_PERIOD: "Outside the period",
    }
)
"""The name of each status where people read it; files and filters have the status itself."""


MEANING_OF: Mapping[Status, str] = MappingProxyType(
    {
        Status.MATCHED: "the amounts are equal",
        Status.WITHIN_TOLERANCE: "the amounts differ, by no more than the tolerance",
        Status.AMOUNT_MISMATCH: "the amounts differ by more than the tolerance",
        Status.CURRENCY_MISMATCH: "the currencies differ, so no difference is computed",
        Status.STATUS_MISMATCH: "the books have a total, but nothing is due: the order is cancelled, voided, "
        "refunded, or was never placed",
        Status.METHOD_MISMATCH: "the amounts agree, but the books name another payment method than Klarna",
        Status.NOT_PAID: "the amounts agree, but nothing was authorized or captured, or the order has a status "
        "that is not known",
        Status.PARTLY_PAID: "the amounts agree, but less is captured or still authorized than is due; or the "
        "payments that share the order do not add up to what is due",
        Status.MONEY_UNKNOWN: "transactions were not read, and the payment status does not say how much is due",
        Status.REFUNDED_SINCE: "the amounts agree, but they leave out what was refunded",
        Status.FLAGGED_BY_API: "the amounts agree, but Commerce Layer flags a different amount on the payment",
        Status.AMOUNT_UNKNOWN: "an amount or a currency is missing on one side",
        Status.DUPLICATE_REFERENCE: "the key is on both sides, but not once on each: left unmatched",
        Status.MISSING_REFERENCE: "the row has no reference, and no other key paired it",
        Status.MISSING_ORDER: "a payment of a placed order that is not in the books",
        Status.MISSING_PAYMENT: "a total in the books without a payment",
        Status.WRONG_MODE: "a test payment among live ones, or the reverse",
        Status.AWAITING_ORDER: "a payment so recent that its order total may still arrive",
        Status.AWAITING_PAYMENT: "an order total so recent that its payment may still arrive",
        Status.SUPERSEDED: "another payment of the same order took its place",
        Status.NOTHING_DUE: "nothing is due, and nothing is booked: cancelled, voided, refunded, or free",
        Status.UNPAID: "an order that was placed, not paid and not booked: nothing was authorized or captured",
        Status.NOTHING_BOOKED: "an order row of the amount 0 without a payment",
        Status.NOT_PLACED: "an abandoned checkout: no order, or one that was never placed",
        Status.NOT_LISTED: "a payment that is not among the order totals in question",
        Status.OTHER_METHOD: "an order total that another payment method has paid",
        Status.OUT_OF_PERIOD: "unpaired, and of a day that the order totals do not cover",
    }
)
"""What each status means, for people."""


class MatchPolicy(Struct, frozen=True, kw_only=True):
    """
    `[match]` of the settings: all that decides a matching. Raises SettingsError when it contradicts itself.

    `mode` (live or test): payments of the other mode are set aside; None: none are. `population` is what the sides are
    supposed to cover. A tolerance of a market, a gateway or a currency takes what it leaves out from the next of them,
    at last from the general two.
    """

    on: Annotated[
        tuple[str, ...],
        Meta(description="keys to match on, in this order", extra={"choices": KEYS, "has_option": False}),
    ] = KEYS
    amount_basis: Annotated[
        str,
        Meta(
            description="what is the payment's amount: what is due, what was captured, or a total of its order",
            extra={"choices": AMOUNT_BASES},
        ),
    ] = AMOUNT_BASES[0]
    tolerance_cents: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="maximum difference treated as a match, in minor units",
            examples=[5],
            extra={"metavar": "N"},
        ),
    ] = None
    tolerance_percent: Annotated[
        str | int | float | None,
        Meta(
            description="the same in percent of the order total, as a string",
            examples=["0.5"],
            extra={"metavar": "P"},
        ),
    ] = None
    tolerances: Annotated[
        dict[str, Tolerance],
        Meta(
            description="tolerances of a currency, a market or a gateway, such as "
            '{ SEK = { cents = 50 }, "market:Nordics" = { percent = "0.1" } }; a market\'s goes before a gateway\'s, '
            "that before a currency's, and what it leaves out is taken from the next",
            examples=[{"SEK": {"cents": 50}}],
            extra={"has_option": False},
        ),
    ] = {}
    lag_days: Annotated[
        int,
        Meta(
            ge=0,
            description="days a payment or an order row may wait for its counterpart before it is a break",
            extra={"key": "lag", "option": "--lag", "metavar": "N"},
        ),
    ] = 0
    group_orders: Annotated[
        Literal["sum"] | None, Meta(description='"sum" adds up order rows of one key first', examples=["sum"])
    ] = None
    refunds: Annotated[
        Literal["booked_apart"] | None,
        Meta(
            description='"booked_apart": the books keep the total of an order, and have its refunds elsewhere; '
            "where amount_basis is a total",
            examples=["booked_apart"],
        ),
    ] = None
    clean: CleanRules = NO_RULES
    mode: str | None = None
    population: Annotated[Population, Meta(extra={"is_declared": False})] = EVERYTHING

    def __post_init__(self) -> None:
        force_setattr(self, "on", tuple(self.on))
        if not self.on or len(set(self.on)) != len(self.on) or not set(self.on) <= set(KEYS):
            raise SettingsError(f"match on {list(self.on)} is not a choice of {', '.join(KEYS)}, each at most once")
        if self.amount_basis not in AMOUNT_BASES:
            raise SettingsError(f'amount_basis "{self.amount_basis}" is not one of {", ".join(AMOUNT_BASES)}')
        if self.group_orders not in (None, "sum"):
            raise SettingsError(f'group_orders "{self.group_orders}" is not "sum"')
        if self.refunds not in (None, "booked_apart"):
            raise SettingsError(f'refunds "{self.refunds}" is not "booked_apart"')
        if self.mode not in (None, "live", "test"):
            raise SettingsError(f'mode "{self.mode}" is neither live nor test')
        if not 0 <= self.lag_days <= MOST_LAG_DAYS:
            raise SettingsError(f"lag_days {self.lag_days} is not a number of days from 0 to {MOST_LAG_DAYS}")
        force_setattr(self, "tolerance_percent", self.tolerance.percent)
        force_setattr(self, "tolerances", dict(sorted(self.tolerances.items())))
        for name in self.tolerances:
            scope_of(name)

    @property
    def order_total(self) -> str:
        """The total of an order that `amount_basis` is, or else is made from."""
        return self.amount_basis if self.amount_basis in ORDER_TOTALS else ORDER_TOTALS[0]

    @property
    def leaves_refunds_out(self) -> bool:
        """Whether a payment's amount leaves out what was refunded, though the books have no other place for it."""
        return self.amount_basis in ORDER_TOTALS and self.refunds is None

    @property
    def tolerance(self) -> Tolerance:
        """The tolerance of whatever has none of its own."""
        return Tolerance(cents=self.tolerance_cents, percent=self.tolerance_percent)
