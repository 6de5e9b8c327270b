"""The table of transactions: each once, whole, as of the newest state of its order that was read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dying import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shops import money_moves, rows, shop, today, unflagged

from reconcile.payments import transactions
from reconcile.payments.beside import transactions_beside
from reconcile.payments.transactions import write_transactions
from reconcile.schema import MIRRORED, TRANSACTIONS

AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(payment_id: str, order_id: str | None, ids: list[str] | None, *, minutes: int | None = 0) -> dict[str, Any]:
    changed_at = None if minutes is None else AT + timedelta(minutes=minutes)
    moved = None if ids is None else [{"transaction_id": id_[1:], "type": TYPES[id_[0]]} for id_ in ids]
    return {
        "payment_id": payment_id,
        "created_at": AT,
        "updated_at": AT,
        "order_id": order_id,
        "order_updated_at": changed_at,
        "transactions": moved,
    }


TYPES = {"a": "authorizations", "c": "captures", "r": "refunds", "v": "voids"}


def written(folder: Path, *batches: list[dict[str, Any]]) -> list[tuple[str, str]]:
    made = (pa.RecordBatch.from_pylist(batch, schema=MIRRORED) for batch in batches)
    count = write_transactions(made, folder / "t.parquet")
    table = pq.read_table(folder / "t.parquet")
    assert table.schema.equals(TRANSACTIONS)
    assert table.num_rows == count
    assert [path.name for path in folder.iterdir()] == ["t.parquet"]
    return [(one["order_id"], one["type"][0] + one["transaction_id"]) for one in table.to_pylist()]


def test_they_are_sorted_by_order_type_and_id_and_each_is_there_once(tmp_path: Path) -> None:
    found = written(tmp_path, [row("p1", "o2", ["c9", "c1", "a1", "c1"])], [row("p2", "o1", ["v1"])])

    assert found == [("o1", "v1"), ("o2", "a1"), ("o2", "c1"), ("o2", "c9")]


@pytest.mark.parametrize("first", [True, False])
def test_of_an_order_that_was_read_twice_the_newest_state_stands_whole(tmp_path: Path, first: bool) -> None:
    older, newer = row("p1", "o1", ["a1", "c1"]), row("p2", "o1", ["a1", "r1"], minutes=1)

    found = written(tmp_path, *([[newer], [older]] if first else [[older, newer]]))

    assert found == [("o1", "a1"), ("o1", "r1")]


def test_what_was_not_read_or_has_no_time_gives_way_to_what_was(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        [row("p9", "o1", ["a1"], minutes=None), row("p1", "o1", ["a2"]), row("p2", "o1", None, minutes=9)],
        [row("p3", "o2", ["c1"]), row("p4", "o2", [], minutes=1), row("p5", None, None)],
    )

    assert found == [("o1", "a2")]


READINGS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.none() | st.sampled_from(["oA", "oB", "oé", "o"]),
        st.none() | st.lists(st.sampled_from(["a1", "a2", "c1", "r1", "v1"]), max_size=4),
        st.none() | st.integers(0, 3),
    ),
    max_size=14,
    unique_by=lambda one: one[0],
)


@given(readings=READINGS, per_run=st.integers(1, 5), per_batch=st.integers(1, 4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_read_and_however_it_came(
    tmp_path: Path, readings: list[Any], per_run: int, per_batch: int
) -> None:
    read_rows = [row(f"p{number:02d}", order, ids, minutes=minutes) for number, order, ids, minutes in readings]
    newest: dict[str, Any] = {}
    for one in sorted(readings, key=lambda one: (one[3] is not None, one[3] or 0, one[0])):
        if one[1] is not None and one[2] is not None:
            newest[one[1]] = one[2]
    expected = [(order, id_) for order in sorted(newest, key=str.encode) for id_ in sorted(set(newest[order]))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "_ROWS_PER_RUN", per_run)
        batches = [read_rows[start : start + per_batch] for start in range(0, len(read_rows), per_batch)]
        found = written(tmp_path, *batches)

    assert found == expected


def test_they_stand_beside_the_payments_under_a_name_like_theirs() -> None:
    assert transactions_beside(Path("runs/payments.parquet")) == Path("runs/transactions.parquet")
    assert transactions_beside(Path("november.csv")) == Path("november.transactions.csv")


async def test_money_that_moves_without_touching_the_order_is_seen_by_the_next_night(
    serve, pull, tmp_path: Path
) -> None:
    world = shop(60)
    await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")
    moved = next(id_ for id_ in unflagged(world) if world.payments.find(id_)["order_id"])
    before = rows(tmp_path / "payments.parquet")[moved]
    money_moves(world, moved)

    report = await pull(
        serve(world, **today(world)), mirror=tmp_path / "mirror", incremental=True, overlap=timedelta(0)
    )
    after = rows(tmp_path / "payments.parquet")[moved]
    incremental = read(tmp_path / "payments.parquet")
    await pull(serve(world, **today(world)))

    assert report.incremental
    assert after["order_updated_at"] == before["order_updated_at"]
    assert after["captured_amount_cents"] == before["captured_amount_cents"] + 77
    assert incremental == read(tmp_path / "payments.parquet")


async def test_transactions_of_an_order_go_with_its_last_payment(serve, pull, tmp_path: Path) -> None:
    world = shop(60)
    await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")
    for id_ in unflagged(world)[:5]:
        world.delete(id_)

    await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")

    orders = {one["order_id"] for one in rows(tmp_path / "payments.parquet").values()}
    found = pq.read_table(tmp_path / "transactions.parquet").column("order_id").to_pylist()
    assert found
    assert set(found) <= orders
