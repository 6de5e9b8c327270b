"""
What a table's own program fixes of how it is read, under what the user declares.

A declaration of the user always counts; what neither they nor the program says is as everywhere: decimals are separated
by a point. Does not know which program fixes what: `systems` does.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconcile.orders.format import OrderFormat

if TYPE_CHECKING:
    from reconcile.orders.columns.mapping import ColumnMap
    from reconcile.orders.columns.system import System

POINT = "."


def taken_from(system: System | None, form: OrderFormat) -> dict[str, str]:
    """Return those declarations of `OrderFormat` that `form` leaves open and `system` fixes."""
    if system is None:
        return {}
    fixed: dict[str, str | None] = asdict(system.fixed)
    return {name: value for name, value in fixed.items() if value is not None and getattr(form, name) is None}


def completed(form: OrderFormat, columns: ColumnMap) -> OrderFormat:
    """Return `form` with what is taken from the program that wrote the table, and a decimal separator in any case."""
    taken = dict(columns.taken)
    return replace(form, **{"decimal": form.decimal or POINT, **taken})
