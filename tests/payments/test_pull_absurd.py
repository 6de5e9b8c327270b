"""Answers that make no sense: an error that says what was found, after few requests, and no file."""

from __future__ import annotations

from pathlib import Path

import pytest
from dying import exists
from export_rules import rules

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.paging import _Path
from reconcile.errors import IncompletePull
from reconcile.sandbox.world.world import World


def list_requests(server) -> int:
    return sum(request.path.endswith("/klarna_payments") for request in server.requests)


@pytest.mark.parametrize("id_", ["XAyRWNUzyN", "1755185525941-0", "p1", "a_b.c~d", "é"])
def test_a_text_that_stands_in_an_address_by_itself_can_be_an_id(id_: str) -> None:
    assert is_id(id_)


@pytest.mark.parametrize(
    "id_",
    ["", " ", "a b", "a\x00", "a\n", "\x1b[2J", "a,b", "a/b", "..", ".", "a?b", "a#b", "a%2Fb", "x" * 256, "\ufffd"],
)
def test_a_text_that_would_end_an_address_cannot(id_: str) -> None:
    assert not is_id(id_)


@pytest.mark.parametrize(
    ("value", "shown"), [("empty", "''"), ("control", r"'XAy\x1b[2JNUzyN'"), ("slash", "'../orders/XAyRWNUzyN'")]
)
@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_an_id_that_cannot_be_one_is_an_error(
    serve, pull, tmp_path: Path, value: str, shown: str, number: int
) -> None:
    with pytest.raises(IncompletePull) as caught:
        await pull(serve(None, f"odd-id:#{number}:{value}"), mirror=tmp_path / "mirror")

    assert caught.value.message.startswith("klarna_payments: row ")
    assert caught.value.message.endswith(f" of a page has {shown} for an id")
    assert caught.value.hint
    assert not exists(tmp_path / "payments.parquet")


@pytest.mark.parametrize("count", [-1, 10**9 + 1, 10**18, 10**30])
@pytest.mark.parametrize("via", ["pages", "exports"])
@pytest.mark.parametrize("number", [1, 3, 5])
async def test_a_count_that_cannot_be_is_an_error(
    serve, pull, tmp_path: Path, count: int, via: str, number: int
) -> None:
    server = serve(None, f"absurd-count:#{number}+:{count}", exports=rules())

    with pytest.raises(IncompletePull, match=f"the list says that there are {count} "):
        await pull(server, mirror=tmp_path / "mirror", via=via)

    assert list_requests(server) <= 6
    assert not exists(tmp_path / "payments.parquet")


@pytest.mark.parametrize("number", range(1, 6))
async def test_a_list_without_a_count_is_an_error(serve, pull, tmp_path: Path, number: int) -> None:
    with pytest.raises(IncompletePull, match="the list does not say how many there are"):
        await pull(serve(None, f"absurd-count:#{number}:none"), mirror=tmp_path / "mirror")

    assert not exists(tmp_path / "payments.parquet")


@pytest.mark.parametrize("fault", ["first-page:#3+", "first-page:#4+", "circle:#3+", "circle:#5+"])
@pytest.mark.parametrize("count", ["", "absurd-count:#2+:1000000000"])
async def test_a_walk_that_goes_round_in_circles_is_stopped(
    serve, pull, tmp_path: Path, fault: str, count: str
) -> None:
    server = serve(World.generate(260), fault, *([count] if count else []))

    with pytest.raises(IncompletePull, match="the list does not move on behind payment"):
        await pull(server, mirror=tmp_path / "mirror")

    assert list_requests(server) <= 20


@pytest.mark.parametrize("tail", [0, 1, 7, 100])
@pytest.mark.parametrize("length", [1, 2, 3, 64, 1000])
def test_a_circle_of_any_length_is_seen_in_time(tail: int, length: int) -> None:
    path = _Path()
    steps = 0
    while not path.comes_back_to(str(steps if steps < tail else tail + (steps - tail) % length)):
        steps += 1

    assert steps <= 3 * max(tail, length) + 3


def test_a_walk_that_comes_to_its_end_meets_nobody_again() -> None:
    path = _Path()

    assert not any(path.comes_back_to(str(step)) for step in range(10_000))
