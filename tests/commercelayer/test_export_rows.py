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
from reconcile.commercelayer.exports.rows import exported_parts, objects
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.relations import SUM_OF, Wanted
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


SHORT = Wanted(money=False)


def payments(
    path: Path, *, window: Window = EVER, mode: str | None = "live", wanted: Wanted = SHORT
) -> list[dict[str, Any]]:
    parts = exported_parts(path, wanted, window=window, mode=mode, expected_mode="live")
    return [row for part in parts for row in part.rows.to_pylist()]


def apart(path: Path, wanted: Wanted = SHORT) -> list[str]:
    parts = exported_parts(path, wanted, window=EVER, mode="live", expected_mode="live")
    return [id_ for part in parts for id_ in part.apart]


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


def test_an_order_stands_in_the_row_or_is_only_named_or_is_none(file_of) -> None:
    order = {"id": "o1", "number": 12, "total_amount_cents": 500}
    path = file_of(
        json.dumps(
            [
                row("p1", order=order),
                row("p2", order_id="o2"),
                row("p3", order=None),
                row("p4", order_id=None),
                row("p5"),
            ]
        ).encode()
    )

    rows = payments(path)

    assert [(row["payment_id"], row["order_id"], row["order_number"]) for row in rows] == [
        *(("p1", "o1", "12"), ("p3", None, None), ("p4", None, None)),
    ]
    assert rows[0]["total_amount_cents"] == 500
    assert apart(path) == ["p2", "p5"]


def order_with_money(**changes: Any) -> dict[str, Any]:
    source = {"id": "p1", "type": "klarna_payments"}
    capture = {"id": "t1", "amount_cents": 70, "currency_code": "EUR", "succeeded": True, "payment_source": source}
    lists: dict[str, Any] = {type_: [] for type_ in SUM_OF} | {"captures": [capture]}
    market = {"id": "m1", "name": "Sweden"}
    return {"id": "o1", "currency_code": "EUR", "payment_source": source, "market": market, **lists, **changes}


def with_money(**changes: Any) -> dict[str, Any]:
    return row(order=order_with_money(**changes), payment_gateway={"id": "g1", "name": "Klarna"})


def test_the_money_of_an_order_stands_in_the_row(file_of) -> None:
    (found,) = payments(file_of(json.dumps([with_money()]).encode()), wanted=Wanted())

    assert (found["order_source_type"], found["is_current_source"]) == ("klarna_payments", True)
    assert [found[column] for column in SUM_OF.values()] == [0, 70, 0, 0]
    assert (found["market_id"], found["market_name"]) == ("m1", "Sweden")
    assert (found["payment_gateway_id"], found["payment_gateway_name"]) == ("g1", "Klarna")
    assert [(one["transaction_id"], one["payment_id"]) for one in found["transactions"]] == [("t1", "p1")]


LACKING: dict[str, dict[str, Any]] = {
    "a source of no type": {"payment_source": {"id": "p1"}},
    "a source of a type that there is not": {"payment_source": {"id": "p1", "type": "klarna_payment"}},
    "no list of captures": {"captures": None},
    "a transaction of a source of no type": {"captures": [{"id": "t1", "payment_source": {"id": "p1"}}]},
    "a transaction that does not say": {"captures": [{"id": "t1"}]},
    "a market without an id": {"market": {"name": "Sweden"}},
}


@pytest.mark.parametrize("changes", LACKING.values(), ids=list(LACKING))
def test_a_payment_of_which_the_file_does_not_say_everything_is_only_named(file_of, changes: dict[str, Any]) -> None:
    path = file_of(json.dumps([with_money(**changes), with_money() | {"id": "p2"}]).encode())

    assert apart(path, Wanted()) == ["p1"]
    assert [found["payment_id"] for found in payments(path, wanted=Wanted())] == ["p2"]


def test_what_is_not_wanted_is_not_missed(file_of) -> None:
    path = file_of(json.dumps([with_money(payment_source={"id": "p1"}, market=None)]).encode())

    assert apart(path, Wanted().without(["order.payment_source"])) == []
    assert payments(path)[0]["captured_amount_cents"] is None


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"order": {"number": "1"}}, "does not say which order it belongs to"),
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


def test_a_file_that_unpacks_without_end_is_not_read_to_it(file_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_UNPACKED_BYTES", 1_000_000)

    with pytest.raises(BrokenExport, match="unpacks to more than 1 GB") as caught:
        list(objects(file_of(b"[" + b" " * 2_000_000 + b"]")))

    assert caught.value.final
