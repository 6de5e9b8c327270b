"""
Exports as programs lay them out are read exactly, and how many of them need nothing declared is known.

`layouts/layouts.toml` has them: each with what has to be declared, as the command line takes it.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from spreadsheets import number, rows, sheet, text, workbook

from reconcile.errors import OrderFileError, ReconcileError, TooManyRejects
from reconcile.orders.format import COLUMN_OPTIONS, OrderFormat
from reconcile.orders.read import read_orders_to_parquet

LAYOUTS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "layouts" / "layouts.toml").read_text(encoding="utf-8")
)["layout"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "orders.md"
AMOUNTS = (3500, 12050, 890, -2000)
WITHOUT_AN_OPTION = 41
AFTER_ONE_ROUND = 42

_LISTS = ("accounting", "skip_rows")
_TABLES = ("only", "withdrawn")
_FIELDS = {option: f"{role}_column" for role, option in COLUMN_OPTIONS.items()}
NAMES = [layout["name"] for layout in LAYOUTS]


def declared(options: Sequence[str]) -> OrderFormat:
    """Return what a command line declares."""
    found: dict[str, Any] = {}
    for option, value in zip(options[::2], options[1::2], strict=True):
        name = _FIELDS.get(option) or option.removeprefix("--").replace("-", "_")
        if name in _LISTS:
            found[name] = (*found.get(name, ()), value)
        elif name in _TABLES:
            column, _, one = value.partition("=")
            found.setdefault(name, {}).setdefault(column, []).append(one)
        else:
            found[name] = int(value) if name == "header_line" else value
    return OrderFormat(**found)


def written(layout: dict[str, Any], folder: Path) -> Path:
    """Write the layout as the file that it is."""
    content: str = layout["text"]
    if layout.get("kind") == "xlsx":
        path = folder / "orders.xlsx"
        path.write_bytes(workbook(sheet(rows(*([*_cells(line)] for line in content.split("\n"))))))
        return path
    path = folder / "orders.csv"
    path.write_bytes(content.encode(layout.get("encoding", "utf-8")))
    return path


def _cells(line: str) -> Iterator[str]:
    for cell in line.split("\t"):
        yield number(cell) if re.fullmatch(r"-?[0-9]+\.[0-9]{2}", cell) else text(cell) if cell else ""


def wanted(layout: dict[str, Any]) -> list[tuple[str, int, str, str]]:
    """Return the rows of a layout: key, amount in minor units, currency, day."""
    keys = [*layout.get("keys", ("NW-1", "NW-2", "NW-3"))]
    count = 4 if layout.get("refund", True) else 3
    return [
        (
            [*keys, keys[1]][at],
            AMOUNTS[at],
            layout.get("currency", "EUR"),
            f"2026-11-0{at + 1}" if layout.get("dated", True) else "None",
        )
        for at in range(count)
    ]


def read(path: Path, form: OrderFormat) -> list[tuple[str, int, str, str]]:
    """Return the rows that are read of a file."""
    destination = path.with_name("out.parquet")
    read_orders_to_parquet(path, destination, form, rejects=path.with_name("rejects.txt"))
    return [
        (row["reference"] or row["order_number"], row["amount_cents"], row["currency_code"], str(row["ordered_on"]))
        for row in pq.read_table(destination).to_pylist()
    ]


def printed_options(error: ReconcileError) -> list[list[str]]:
    """Return the options of each command line that an error prints."""
    lines = [line for line in (error.hint or "").splitlines() if line.startswith("  reconcile orders inspect ")]
    return [shlex.split(line)[4:] for line in lines]


def is_read(layout: dict[str, Any], path: Path, options: Sequence[str]) -> bool:
    """Whether a layout is read exactly with `options`."""
    try:
        return read(path, declared(options)) == wanted(layout)
    except ReconcileError:
        return False


@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_a_layout_is_read_exactly_with_what_has_to_be_declared(layout: dict[str, Any], tmp_path: Path) -> None:
    assert read(written(layout, tmp_path), declared(layout.get("options", ()))) == wanted(layout)


def test_as_many_layouts_as_told_need_nothing_declared_and_no_other_is_read_without_asking(tmp_path: Path) -> None:
    free, asked, after = [], [], []
    for layout in LAYOUTS:
        path = written(layout, tmp_path)
        try:
            assert read(path, OrderFormat()) == wanted(layout), layout["name"]
            free.append(layout["name"])
        except (OrderFileError, TooManyRejects) as error:
            asked.append(layout["name"])
            if any(is_read(layout, path, options) for options in printed_options(error)):
                after.append(layout["name"])

    assert asked == [layout["name"] for layout in LAYOUTS if "options" in layout]
    assert (len(free), len(after)) == (WITHOUT_AN_OPTION, AFTER_ONE_ROUND)
    assert len(LAYOUTS) >= 60
    assert len(free) >= 35


def test_the_document_tells_how_many_layouts_are_read_and_has_their_sources() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    told = (
        f"Of {len(LAYOUTS)} layouts of programs, {WITHOUT_AN_OPTION} are read without an option, "
        f"{AFTER_ONE_ROUND} more with those that the first error prints"
    )

    assert told in " ".join(document.split())
    for layout in LAYOUTS:
        assert re.search(rf"^{layout['source']}\. http", document, re.MULTILINE), layout["name"]
