"""
How far both sides of a pair may differ and still agree.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from msgspec import Struct
from msgspec.structs import force_setattr

from reconcile.errors import SettingsError

PERCENT_DECIMALS = 4
"""Decimals a tolerance in percent may have: with more, its exact integer arithmetic would leave 64 bits."""


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

    def fraction(self) -> tuple[int, int]:
        """Return `percent` as exact numerator and denominator: "0.25" is (25, 10000). Needs a percent."""
        assert self.percent is not None, "asked only where a percent is set"
        decimal = Decimal(self.percent)
        decimals = -min(int(decimal.as_tuple().exponent), 0)
        return int(decimal.scaleb(decimals)), 10 ** (decimals + 2)


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
