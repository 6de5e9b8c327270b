"""
Nights of day files against the same nights with one full list: the same items, the same ledger.

The world changes every night: orders come late, are corrected, invoiced a second time, delivered again or cancelled,
and payments come before or after them. Some nights are run late, or again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from nights import payments_file

from reconcile.errors import EmptySide, OutputError
from reconcile.files.disk import sha256_of
from reconcile.operations.night import match
from reconcile.operations.staged_run import RunResult
from reconcile.operations.verify import verify
from reconcile.settings.settings import Settings

FIRST = date(2026, 11, 1)
HEADER = "reference,order_number,order_date,total,currency,state\n"
OF_THE_FILES = ("order_source_file", "order_source_line", "run_id")


@dataclass
class Shop:
    """Payments so far, and the orders that have been invoiced: their keys."""

    payments: list[dict[str, Any]] = field(default_factory=list)
    known: list[tuple[str, str]] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def night(self, day: int, chance: random.Random) -> list[str]:
        """Let a day pass, and return the lines of its day file: at most one for each key."""
        on = FIRST + timedelta(days=day - 1)
        lines, self.late = self.late, []
        for number in range(3):
            reference, cents = f"R{day}-{number}", 1000 + 10 * day + number
            when = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
            paid = {"total_amount_with_taxes_cents": cents, "created_at": when, "updated_at": when}
            self.payments.append({"reference": reference} | paid)
            (lines if chance.random() < 0.8 else self.late).append(line(reference, "1", on, cents))
        if self.known:
            for cents in (700 + day, 1000):  # corrected, or delivered again
                lines.append(line(*chance.choice(self.known), on, cents))
            lines.append(line(chance.choice(self.known)[0], "2", on, 50))  # invoiced a second time
            lines.append(line(chance.choice(self.known)[0], "", on, 0, "cancelled"))
        lines = list({(text.split(",")[0], text.split(",")[1]): text for text in lines}.values())
        gone = {text.split(",")[0] for text in lines if "cancelled" in text}
        lines = [text for text in lines if "cancelled" in text or text.split(",")[0] not in gone]
        self.known += [(text.split(",")[0], text.split(",")[1]) for text in lines if "cancelled" not in text]
        return lines


def full_list(deliveries: Sequence[list[str]]) -> list[str]:
    """Return the one list that deliveries, in the order of their dates, come to."""
    rows: dict[tuple[str, str], str] = {}
    for lines in deliveries:
        for text in lines:
            reference, number, *_ = text.split(",")
            if "cancelled" in text:
                rows = {key: row for key, row in rows.items() if key[0] != reference}
            else:
                rows[reference, number] = text
    return list(rows.values())


def line(reference: str, number: str, on: date, cents: int, state: str = "open") -> str:
    return f"{reference},{number},{on},{cents / 100:.2f},EUR,{state}\n"


def run(out: str, day: int, payments: Path, orders: str, **options: Any) -> RunResult:
    path = Path(f"{out}-{day}.csv")
    path.write_text(HEADER + orders, encoding="utf-8")
    settings = Settings.of(
        orders=(str(path),), out=out, html=False, xlsx=False, withdrawn={"state": ["cancelled"]}, **options
    )
    return match(settings, payments, business_date=FIRST + timedelta(days=day - 1))


def shown(result: RunResult) -> list[dict[str, Any]]:
    """Return the items but for where their order rows were delivered."""
    rows = pq.read_table(result.folder / "items.parquet").to_pylist()
    return sorted(
        ({name: value for name, value in row.items() if name not in OF_THE_FILES} for row in rows),
        key=lambda row: (row["item_id"], repr(row)),
    )


def ledger_of(result: RunResult) -> Any:
    return json.loads((result.folder / "summary.json").read_bytes())["roll_forward"]


def same_nights(nights: int, late: Sequence[int] = (), again: Sequence[int] = (), seed: int = 1) -> None:
    """Run `nights` both ways, those of `late` two nights late, those of `again` again after the next one."""
    chance, shop = random.Random(seed), Shop()
    inputs: dict[int, tuple[Path, list[str]]] = {}
    for day in range(1, nights + 1):
        delivered = shop.night(day, chance)
        inputs[day] = payments_file(Path(f"p{day}.parquet"), shop.payments), delivered
    order = [day for day in range(1, nights + 1) if day not in late]
    for day in late:
        order.insert(order.index(day + 2) + 1, day)
    for day in again:
        order.insert(order.index(day + 1) + 1, day)
    for place, day in enumerate(order):
        payments, delivered = inputs[day]
        published = sorted({one for one in order[: place + 1] if one <= day})
        changes = run("changes", day, payments, "".join(delivered), delivery="changes")
        full = run("full", day, payments, "".join(full_list([inputs[one][1] for one in published])))
        assert shown(changes) == shown(full), day
        assert ledger_of(changes) == ledger_of(full), day
    assert not [one for one in verify(Path("changes")) if one.problems]


def test_nights_of_day_files_give_what_full_lists_give() -> None:
    same_nights(3, late=[1], again=[2])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_nights_of_day_files_give_what_full_lists_give(seed: int) -> None:
    same_nights(30, late=[7, 20], again=[12], seed=seed)


PAYMENTS = [{"reference": "A"}, {"reference": "B"}]


def test_a_night_names_the_deliveries_it_is_made_of_and_a_late_one_is_told() -> None:
    payments = payments_file(Path("p.parquet"), PAYMENTS)
    first = run("out", 1, payments, line("A", "1", FIRST, 1000), delivery="changes")
    third = run("out", 3, payments, line("B", "1", FIRST, 900), delivery="changes")
    run("out", 2, payments, line("B", "1", FIRST, 1000), delivery="changes")
    fourth = run("out", 4, payments, line("A", "1", FIRST, 1000), delivery="changes")

    manifest = json.loads((fourth.folder / "manifest.json").read_bytes())
    days = [one["business_date"] for one in manifest["order_book"]["deliveries"]]
    assert days == ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"]
    assert manifest["order_book"]["deliveries"][0]["run_id"] == first.summary.run_id
    (late,) = (one for one in fourth.summary.warnings if one.code == "late_delivery")
    assert "2026-11-02" in late.text
    assert "late_delivery" not in {one.code for one in third.summary.warnings}
    assert {row["order_amount_cents"] for row in shown(fourth)} == {1000, 900}  # what came on the third replaced B


@pytest.mark.slow
def test_a_full_delivery_begins_the_book_anew() -> None:
    payments = payments_file(Path("p.parquet"), PAYMENTS)
    run("out", 1, payments, line("X", "1", FIRST, 1000), delivery="changes")
    run("out", 2, payments, line("A", "1", FIRST, 1000))
    book = run("out", 3, payments, line("B", "1", FIRST, 1000), delivery="changes")

    assert book.summary.counts.breaks == 0
    days = pq.read_table(book.folder / "orders.parquet", columns=["reference", "delivered_on"]).to_pylist()
    assert days == [
        {"reference": "A", "delivered_on": date(2026, 11, 2)},
        {"reference": "B", "delivered_on": date(2026, 11, 3)},
    ]


def test_a_night_without_changes_is_a_night_where_the_book_has_rows() -> None:
    payments = payments_file(Path("p.parquet"), PAYMENTS)
    with pytest.raises(EmptySide, match="no orders"):
        run("out", 1, payments, "", delivery="changes")
    run("out", 1, payments, line("A", "1", FIRST, 1000) + line("B", "1", FIRST, 1000), delivery="changes")

    assert run("out", 2, payments, "", delivery="changes").summary.counts.breaks == 0


@pytest.mark.slow
def test_an_amount_that_cannot_be_read_is_unknown_until_it_is_delivered_again() -> None:
    payments = payments_file(Path("p.parquet"), PAYMENTS)
    run("out", 1, payments, line("A", "1", FIRST, 1000) + line("B", "1", FIRST, 1000), delivery="changes")
    broken = run("out", 2, payments, "A,1,2026-11-01,ten,EUR,open\n", delivery="changes", max_rejects=1)
    mended = run("out", 3, payments, line("A", "1", FIRST, 1000), delivery="changes")

    assert [row["status"] for row in shown(broken) if row["reference"] == "A"] == ["amount_unknown"]
    assert mended.summary.counts.breaks == 0


def test_an_earlier_book_that_was_changed_stops_the_night() -> None:
    payments = payments_file(Path("p.parquet"), PAYMENTS)
    first = run("out", 1, payments, line("A", "1", FIRST, 1000), delivery="changes")
    path = first.folder / "orders.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)

    with pytest.raises(OutputError, match=r"orders\.parquet: was changed since it was published"):
        run("out", 2, payments, line("B", "1", FIRST, 1000), delivery="changes")


@pytest.mark.slow
def test_a_book_that_its_deliveries_do_not_make_is_found_though_it_was_hashed_again() -> None:
    payments = payments_file(Path("p.parquet"), PAYMENTS)
    run("out", 1, payments, line("A", "1", FIRST, 1000), delivery="changes")
    last = run("out", 2, payments, line("B", "1", FIRST, 1000), delivery="changes")
    path, manifest = last.folder / "orders.parquet", last.folder / "manifest.json"
    orders = pq.read_table(path)
    later = orders.schema.get_field_index("delivered_on")
    pq.write_table(orders.set_column(later, orders.schema.field(later), [[date(2026, 11, 2)] * 2]), path)
    document = json.loads(manifest.read_bytes())
    for output in document["outputs"]:
        if output["path"] == path.name:
            output |= {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    manifest.write_text(json.dumps(document))

    (found,) = (one for one in verify(Path("out")) if one.problems)
    assert found.problems == ("orders.parquet: is not the order book that the deliveries make",)
