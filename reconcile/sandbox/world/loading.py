"""
Rows from files, and the few rows every world has: gateways and a payment method.

Knows the shape of an export (flat objects with an `id`); does not check what the values mean.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np

from reconcile.errors import InputError
from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key, id_of
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.table import Table

INSTANTS = ("created_at", "updated_at", "placed_at")
EPOCH_TEXT = "2024-07-01T00:00:00.000Z"


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


def gateway_rows(ids: list[str], seed: int) -> Table:
    """Return the Klarna gateways with these ids."""
    rows = [
        {
            "id": id_,
            "name": "Klarna" if number == 1 else f"Klarna {number}",
            "force_payments": False,
            "credential_keys": {"api_key": "********KL4RN"},
            "disabled_at": None,
            "created_at": EPOCH_TEXT,
            "updated_at": EPOCH_TEXT,
            "reference": None,
            "reference_origin": None,
            "metadata": {},
        }
        for number, id_ in enumerate(ids, 1)
    ]
    return loaded(rows, "klarna_gateways", seed, ("created_at", "updated_at"))


def method_rows(gateway_id: str, seed: int) -> Table:
    """Return the one payment method, Klarna through the given gateway."""
    row: Row = {
        "id": id_of(id_key(seed, "payment_methods"), 1),
        "name": "Klarna Payment",
        "payment_source_type": "klarna_payments",
        "payment_gateway_id": gateway_id,
        "currency_code": None,
        "created_at": EPOCH_TEXT,
        "updated_at": EPOCH_TEXT,
        "metadata": {},
    }
    return loaded([row], "payment_methods", seed, ("created_at", "updated_at"))
