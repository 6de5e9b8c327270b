"""
What the sender of order files states about all of them together, and whether it is what was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from reconcile.errors import NotAsStated, SettingsError
from reconcile.money import CURRENCIES, AmountError, currency_order, format_amount, parse_amount

if TYPE_CHECKING:  # with it comes Arrow, which a command's help does without
    from reconcile.orders.report import OrdersReport


class Stated(Struct, frozen=True, kw_only=True):
    """
    `[population.expect]` of the settings: rows, and totals by currency; None and nothing where nothing is stated.

    Raises SettingsError for a total that is no amount in its currency.
    """

    rows: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="rows of all order files together as their sender states them; another number stops the run",
            examples=[1340],
            extra={"name": "expect_rows", "metavar": "N"},
        ),
    ] = None
    total: Annotated[
        dict[str, str],
        Meta(
            description="their totals by currency, every currency that they have; another sum stops the run",
            examples=[{"EUR": "1234.50"}],
            extra={"name": "expect_total", "metavar": "CURRENCY=AMOUNT"},
        ),
    ] = {}

    def __post_init__(self) -> None:
        force_setattr(self, "total", {code.strip().upper(): text for code, text in self.total.items()})
        for code, text in self.total.items():
            try:
                known = code in CURRENCIES and parse_amount(text, code) is not None
            except AmountError:
                known = False
            if not known:
                raise SettingsError(f'expect_total "{code}={text}" is no amount', hint="write it like EUR=1234.50")

    @property
    def cents(self) -> dict[str, int]:
        """The totals in minor units, by currency."""
        return {code: parse_amount(text, code) for code, text in self.total.items()}


def check_stated(report: OrdersReport, stated: Stated) -> None:
    """
    Raise NotAsStated when other rows or sums were read than were stated; a rejected row is missing.

    Where totals are stated, a currency that is not among them has none.
    """
    differences = list(_differences(report, stated))
    if differences:
        raise NotAsStated(
            "\n".join(("orders: the files are not what their sender states", *(f"  {one}" for one in differences))),
            hint="is a file missing, cut off or from another day? If they are right, correct --expect-rows and "
            "--expect-total, or [population.expect]",
        )


def _differences(report: OrdersReport, stated: Stated) -> Iterator[str]:
    rejected = f" ({report.rejects:,} rejected)" if report.rejects else ""
    if stated.rows is not None and report.rows != stated.rows:
        more = report.rows - stated.rows
        apart = f"{abs(more):,} {'more' if more > 0 else 'fewer'}"
        yield f"rows: {stated.rows:,} stated, {report.rows:,} read{rejected}, {apart}"
    if not stated.total:
        return
    read = {total.currency_code: total.amount_cents for total in report.totals}
    for code in sorted({*read, *stated.cents}, key=currency_order):
        cents, found = stated.cents.get(code or "", 0), read.get(code, 0)
        if cents == found and (code in stated.cents or not found):
            continue
        apart = f"{format_amount(abs(found - cents), code or '')} {'more' if found > cents else 'less'}"
        words = f"{format_amount(cents, code or '')} stated" if code in stated.cents else "not stated"
        yield f"{code or 'no currency'}: {words}, {format_amount(found, code or '')} read{rejected}, {apart}"
