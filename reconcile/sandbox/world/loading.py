"""
Rows from files, and tables of rows.

Knows the shape of an export (flat objects with an `id`); does not check what the values mean.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from reconcile.errors import InputError
from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key
from reconcile.sandbox.world.journal import TRANSACTIONS
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.table import Table

INSTANTS = ("created_at", "updated_at", "placed_at")


def read_rows(path: Path) -> list[Row]:
    """Return the flat objects of a JSON array in a file. Raises InputError when it is none."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[Row])
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror})",
            hint="the folder holds klarna_payments.json and orders.json, as Commerce Layer exports them",
        ) from error
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: not an array of flat objects ({error})") from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("id"), str):
            raise InputError(f'{path}: row {number} has no "id"')
        for name in INSTANTS:
            _check_instant(row.get(name), f"{path}: row {number}: {name}")
    if len({row["id"] for row in rows}) != len(rows):
        raise InputError(f"{path}: two rows have the same id")
    return rows


def _check_instant(value: object, where: str) -> None:
    try:
        times.from_text(value)
    except ValueError as error:
        raise InputError(f'{where} "{value}" is not a time', hint="as in 2018-01-01T12:00:00.000Z") from error


def loaded(rows: list[Row], resource: str, seed: int, instants: tuple[str, ...]) -> Table:
    """Return the table of these rows, with columns of the named instants; their order is the sequence."""
    columns = {
        name: np.array([times.NULL, *(_hidden_micros(row.get(name), row["id"]) for row in rows)], np.int64)
        for name in instants
    }
    return Table(
        count=len(rows),
        base_row=lambda sequence: rows[sequence - 1],
        key=id_key(seed, resource),
        columns=columns,
        ids=dict(zip((row["id"] for row in rows), itertools.count(1), strict=False)),
    )


def _hidden_micros(text: str | None, id_: str) -> int:
    """Return the instant of a shown time with the microseconds that are not shown: they follow from the id."""
    instant = times.from_text(text)
    return instant if instant == times.NULL else instant + sum(id_.encode()) * 37 % 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """The flat rows of a world. `transactions` are by type; None: the rows of the orders tell of them."""

    payments: list[Row]
    orders: list[Row]
    markets: Sequence[Row] = ()
    transactions: Mapping[str, list[Row]] | None = None


def read_folder(folder: Path) -> Rows:
    """Return the rows of the files in a folder; see `World.load`. Raises InputError when they are no world."""
    files = {name: folder / f"{name}.json" for name in TRANSACTIONS}
    transactions = {name: read_rows(path) for name, path in files.items() if path.exists()}
    markets = folder / "markets.json"
    rows = Rows(
        payments=read_rows(folder / "klarna_payments.json"),
        orders=read_rows(folder / "orders.json"),
        markets=read_rows(markets) if markets.exists() else [],
        transactions=transactions or None,
    )
    known = {row["id"] for row in rows.orders}
    for row in rows.payments:
        if row.get("order_id") is not None and row["order_id"] not in known:
            raise InputError(f"{folder}: payment {row['id']} belongs to order {row['order_id']}, which is missing")
    for name, listed in transactions.items():
        for row in listed:
            _check_transaction(row, f"{files[name]}: row {row['id']}", known)
    return rows


def _check_transaction(row: Row, where: str, order_ids: Collection[str]) -> None:
    if row.get("order_id") not in order_ids:
        raise InputError(f"{where} belongs to order {row.get('order_id')}, which is missing")
    if not isinstance(row.get("amount_cents"), int):
        raise InputError(f'{where} has no "amount_cents"', hint="whole minor units of the order's currency")
