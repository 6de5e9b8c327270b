"""Files of exports, without a network: split into rows, refused when they are not whole, turned into payments."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.commercelayer.exports import rows
from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.exports.rows import (
    objects,
    orders_apart,
    orders_in_export,
    orders_in_page,
    payment_batches,
)
from reconcile.commercelayer.query import Window
from reconcile.errors import WrongMode

EVER = Window(None, None)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['"', "\\", '\\"', "}{", "],[", '",{"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "export.json.gz"
        path.write_bytes(gzip.compress(content))
        return path

    return write


def row(payment_id: str = "p1", **changes: Any) -> dict[str, Any]:
    return {"id": payment_id, "created_at": "2025-01-01T00:00:00.000Z", "updated_at": "2025-01-02T00:00:00Z", **changes}


def payments(
    path: Path, *, window: Window = EVER, mode: str | None = "live", orders: Any = None
) -> list[dict[str, Any]]:
    batches = payment_batches(path, window=window, mode=mode, expected_mode="live", orders=orders or {})
    return [row for batch in batches for row in batch.to_pylist()]


@given(rows=st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=6), piece=st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_one_by_one_however_the_file_is_cut_into_pieces(
    file_of, rows: list[dict[str, Any]], piece: int
) -> None:
    for layout in ({}, {"indent": 1}, {"separators": (",", ":"), "ensure_ascii": False}):
        path = file_of(json.dumps(rows, **layout).encode("utf-8", "surrogatepass"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("reconcile.commercelayer.exports.rows._PIECE_BYTES", piece)
            found = list(objects(path))

        assert [json.loads(content) for content in found] == rows


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b'[{"id": 1}', b'[{"id": 1}] {}', b'{"id": 1}', b'[1, {"id": 1}]', b'[{"id": 1}, 2]', b"[[]]", b"null"],
)
def test_what_is_no_whole_array_of_objects_is_refused(file_of, content: bytes) -> None:
    with pytest.raises(BrokenExport):
        list(objects(file_of(content)))


def test_a_file_cut_off_anywhere_is_refused(file_of) -> None:
    path = file_of(json.dumps([row(f"p{number}") for number in range(5)]).encode())
    whole = path.read_bytes()

    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenExport):
            list(objects(path))


def test_a_file_with_any_byte_changed_gives_the_same_rows_or_none(file_of) -> None:
    path = file_of(json.dumps([row(f"p{number}") for number in range(3)]).encode())
    whole, expected = path.read_bytes(), list(objects(path))

    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = list(objects(path))
        except BrokenExport:
            continue
        assert found == expected, place  # a byte of the gzip header that means nothing


def test_a_row_without_end_is_not_read_into_memory(file_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_ROW_BYTES", 1_000)
    monkeypatch.setattr(rows, "_PIECE_BYTES", 100)

    with pytest.raises(BrokenExport, match="a row of more than"):
        list(objects(file_of(b'[{"id": "' + b"x" * 5_000 + b'"}]')))


def test_an_order_stands_in_the_row_or_comes_from_elsewhere_or_is_none(file_of) -> None:
    order = {"id": "o1", "number": 12, "total_amount_cents": 500}
    path = file_of(
        json.dumps(
            [row("p1", order=order), row("p2", order_id="o2"), row("p3", order=None), row("p4", order_id=None)]
        ).encode()
    )

    rows = payments(path, orders={"o2": b'{"id": "o2", "number": "13"}'})

    assert [(row["order_id"], row["order_number"]) for row in rows] == [
        *(("o1", "12"), ("o2", "13")),
        *((None, None), (None, None)),
    ]
    assert rows[0]["total_amount_cents"] == 500
    assert orders_apart(path) == ["o2"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, "does not say which order it belongs to"),
        ({"order": {"number": "1"}}, "does not say which order it belongs to"),
        ({"order_id": "o9"}, "belongs to order o9, which is missing"),
        ({"order": None, "created_at": None}, "documented shape"),
        ({"order": None, "created_at": "soon"}, "date-time"),
        ({"order": 5}, "documented shape"),
        ({"order": None, "id": 5}, "documented shape"),
    ],
)
def test_a_row_that_lacks_what_was_asked_for_is_refused_for_good(file_of, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(BrokenExport, match=what) as caught:
        payments(file_of(json.dumps([{**row(), **changes}]).encode()))

    assert caught.value.final


def test_rows_outside_of_the_window_asked_for_are_refused(file_of) -> None:
    path = file_of(json.dumps([row(order=None)]).encode())
    created = datetime(2025, 1, 1, tzinfo=UTC)

    assert len(payments(path, window=Window(created, None))) == 1
    for window in (Window(None, created), Window(datetime(2025, 1, 1, 0, 0, 1, tzinfo=UTC), None)):
        with pytest.raises(BrokenExport, match="not requested"):
            payments(path, window=window)


def test_an_export_of_the_other_mode_stops_the_pull(file_of) -> None:
    with pytest.raises(WrongMode):
        payments(file_of(json.dumps([row(order=None)]).encode()), mode="test")


def test_credentials_in_a_row_become_no_value(file_of) -> None:
    path = file_of(json.dumps([row(order=None, client_token="canary", auth_token="canary")]).encode())

    assert "canary" not in str(payments(path))


def test_orders_are_read_from_an_export_and_from_a_page(file_of) -> None:
    exported = orders_in_export(file_of(b'[{"id": "o1", "number": "1"}, {"id": "o2", "number": "2"}]'), {"o1"})
    listed = orders_in_page(b'{"data": [{"id": "o2", "type": "orders", "attributes": {"number": "2"}}]}')

    assert {key: json.loads(value)["number"] for key, value in {**exported, **listed}.items()} == {"o1": "1", "o2": "2"}


def test_a_file_that_unpacks_without_end_is_not_read_to_it(file_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_UNPACKED_BYTES", 1_000_000)

    with pytest.raises(BrokenExport, match="unpacks to more than 1 GB") as caught:
        list(objects(file_of(b"[" + b" " * 2_000_000 + b"]")))

    assert caught.value.final
