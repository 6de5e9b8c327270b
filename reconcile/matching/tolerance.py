"""
How far both sides of a pair may differ and still agree, and for what a tolerance of its own can be set.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from msgspec import Struct
from msgspec.structs import force_setattr

from reconcile.errors import SettingsError
from reconcile.money import CURRENCIES

PERCENT_DECIMALS = 4
"""Decimals a tolerance in percent may have: with more, its exact integer arithmetic would leave 64 bits."""


SCOPES = {"currency": "o_currency", "gateway": "p_gateway", "market": "p_market"}
"""What a tolerance can be of, with its column of a pair: a later one goes before an earlier one."""


def scope_of(name: str) -> tuple[str, str]:
    """
    Return what the tolerance `name` is of: a currency by its code, else "market:Nordics" or "gateway:Klarna EU".

    Raises SettingsError where it is neither.
    """
    scope, colon, of = name.partition(":")
    if colon and scope in SCOPES and scope != "currency" and of.strip():
        return scope, of.strip()
    if name in CURRENCIES:
        return "currency", name
    raise SettingsError(
        f'tolerances: "{name}" is not a currency code of ISO 4217, nor a market or a gateway',
        hint='write SEK = { cents = 50 }, or "market:NAME" or "gateway:NAME" in quotes, as Commerce Layer names it',
    )


class Tolerance(Struct, frozen=True, forbid_unknown_fields=True):
    """
    How far payment and order may differ and still agree.

    `cents` is minor units of the currency, `percent` a decimal as a string ("0.5") of the order's amount. Both given,
    the smaller allowance holds; neither, the amounts must be equal.
    """

    cents: int | None = None
    percent: str | int | float | None = None

    def __post_init__(self) -> None:
        if self.cents is not None and (type(self.cents) is not int or not 0 <= self.cents < 2**62):
            raise SettingsError(f"tolerance_cents {self.cents} is not a number of minor units from 0 on")
        if self.percent is not None:
            force_setattr(self, "percent", _percent_text(self.percent))

    @property
    def millionths(self) -> int | None:
        """`percent` as exact parts of a million: "0.25" is 2500; null where there is no percent."""
        return None if self.percent is None else int(Decimal(self.percent).scaleb(PERCENT_DECIMALS))


def _percent_text(percent: object) -> str:
    problem = (
        f'tolerance_percent "{percent}" is not a decimal number from 0 to 100 with at most {PERCENT_DECIMALS} decimals'
    )
    if isinstance(percent, float | bool):  # a float is not the number that was written: 0.1 is 0.1000000000000000055…
        problem = f"tolerance_percent {percent} is a float, which is not exactly the number as written"
        raise SettingsError(problem, hint=f'write it as a string: tolerance_percent = "{percent}"')
    try:
        decimal = Decimal(str(percent))
    except InvalidOperation:
        raise SettingsError(problem) from None
    if not decimal.is_finite() or not 0 <= decimal <= 100:
        raise SettingsError(problem)
    if int(decimal.as_tuple().exponent) < -PERCENT_DECIMALS:
        raise SettingsError(problem)
    return format(decimal, "f")
