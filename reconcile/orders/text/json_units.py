"""
Whether the whole numbers of JSON are minor units: by the program that wrote them, or as the user says.

Never quiet: a column of numbers that have no decimals at all may be in either unit, and is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconcile.errors import OrderFileError
from reconcile.money import UNDECIMAL
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.columns.systems import minor_in_json
from reconcile.orders.text.json_columns import Cells, is_integer, text_of

COUNTED_APART = UNDECIMAL | {"CLP", "CVE", "HUF", "IDR", "ISK", "UGX"}
"""Currencies whose minor units Adyen, Stripe, ISO 4217 and Commerce Layer do not all count alike."""


def with_unit(columns: ColumnMap, rows: Iterable[Cells], *, path: str) -> ColumnMap:
    """
    Return `columns` with the unit of the amounts in `rows`, the first of a file, where it is known by what wrote them.

    Raises OrderFileError where neither that nor the column's name nor the user says it, and no amount has decimals.
    """
    if columns.unit is not None or columns.amount_is_cents:
        return columns
    name, rows = columns.name("amount"), tuple(rows)
    raws = [raw for row in rows if (raw := row.raw(name)) != b"null"]
    numbers = [raw for raw in raws if is_integer(raw)]
    if not numbers or not all(is_integer(raw.strip(b'"')) for raw in raws):
        return columns
    kinds = minor_in_json(columns.system)
    if kinds is not None and all(text_of(row.raw(key))[0] in kinds[key] for row in rows for key in kinds):
        return replace(columns, unit="minor")
    shown = next((raw for raw in numbers if len(raw) > 2), numbers[0]).decode()
    raise OrderFileError(
        f'column "{name}" has whole numbers only: they may be in minor units, such as cents',
        path=path,
        column=name,
        hint=f"add --amount-unit minor if {shown} is in minor units, or --amount-unit major if it is {shown}.00",
    )
