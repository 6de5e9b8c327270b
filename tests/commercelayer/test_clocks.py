"""What time it is, where a server, this machine and the records do not agree on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconcile.commercelayer.clocks import FURTHEST_APART, Newest, agreed_now, in_utc
from reconcile.errors import WrongClock

HERE = datetime(2026, 11, 20, 6, 0, 0, 400_000, tzinfo=UTC)
SERVER = HERE.replace(microsecond=0)


def newest(at: datetime) -> Newest:
    return Newest("payment XAyRWNUzyN was created on", at)


@pytest.mark.parametrize("apart", [timedelta(), FURTHEST_APART / 2, -FURTHEST_APART / 2])
def test_the_servers_clock_counts_where_it_is_near_ours(apart: timedelta) -> None:
    assert agreed_now("shop", served_at=SERVER + apart, here=HERE, newest=newest(SERVER)) == SERVER + apart


def test_ours_counts_where_the_server_tells_no_time() -> None:
    assert agreed_now("shop", served_at=None, here=HERE, newest=newest(SERVER)) == SERVER


@pytest.mark.parametrize("server", [datetime(1970, 1, 1, tzinfo=UTC), SERVER + FURTHEST_APART + timedelta(seconds=1)])
def test_clocks_that_are_far_apart_are_told_both(server: datetime) -> None:
    with pytest.raises(WrongClock) as caught:
        agreed_now("shop.example", served_at=server, here=HERE, newest=None)

    assert caught.value.message == (
        f"shop.example: the server's clock says {server:%Y-%m-%d %H:%M:%S} UTC, "
        "this machine's clock says 2026-11-20 06:00:00 UTC"
    )
    assert "NTP" in (caught.value.hint or "")


@pytest.mark.parametrize(("served_at", "whose"), [(SERVER, "the server's"), (None, "this machine's")])
def test_a_record_of_the_future_is_told_with_what_leaves_it_out(served_at: datetime | None, whose: str) -> None:
    with pytest.raises(WrongClock) as caught:
        agreed_now("shop.example", served_at=served_at, here=HERE, newest=newest(SERVER + timedelta(days=1)))

    assert caught.value.message == (
        "shop.example: payment XAyRWNUzyN was created on 2026-11-21 06:00:00 UTC, "
        f"{whose} clock says 2026-11-20 06:00:00 UTC"
    )
    assert "--until 2026-11-20T06:00:00Z reads what is dated before" in (caught.value.hint or "")


def test_moments_at_the_ends_of_the_calendar_have_a_name_in_utc() -> None:
    late = datetime.fromisoformat("9999-12-31T23:59:59-14:00")
    early = datetime.fromisoformat("0001-01-01T00:00:00+14:00")

    assert in_utc(late) == datetime.max.replace(tzinfo=UTC)
    assert in_utc(early) == datetime.min.replace(tzinfo=UTC)
