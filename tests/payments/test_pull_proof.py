"""What the counts prove: shards that tile a window, figures that hold, and rows that come twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from reconcile.commercelayer.client import Credentials
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.paging import cut, cut_finer, shard_count, walker_count
from reconcile.commercelayer.query import Window
from reconcile.errors import AuthError, IncompletePull
from reconcile.payments import page_walks
from reconcile.payments.bookmarks import (
    Bookmarks,
    Walk,
    accounts_for,
    decode_bookmarks,
    encode_bookmarks,
    needs_count_after,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)


def walk_of(before: int, seen: int, after: int | None = None) -> Walk:
    return Walk(number=1, since=None, until=UNTIL, planned=before, before=before, after=after, seen=seen, done=True)


@pytest.mark.parametrize(
    ("before", "seen", "after", "holds"),
    [
        (10, 10, None, True),
        (10, 9, 9, True),  # one was deleted before we came to it
        (10, 10, 9, True),  # one was deleted after we had seen it
        (10, 9, 10, False),  # one was lost
        (10, 11, None, False),  # one came that was not there
    ],
)
def test_seen_must_lie_between_the_counts(before: int, seen: int, after: int | None, holds: bool) -> None:
    walk = walk_of(before, seen, after)

    assert accounts_for(walk) is holds
    assert needs_count_after(walk) is (seen < before)


def test_a_shard_is_walked_three_times_at_most_and_may_then_be_tried_anew() -> None:
    marks = Bookmarks(UNTIL, START, [walk_of(10, 9, 10), walk_of(5, 5)])
    marks.walks[1].number = 2
    bad = marks.walks[0]
    for number in (3, 4):
        marks.walk_again([bad], why="why")
        assert (bad.number, bad.seen, bad.done, bad.last_id) == (number, 0, False, None)
        bad.before, bad.seen, bad.after, bad.done = 10, 9, 10, True

    with pytest.raises(
        IncompletePull, match="why: 9 payments seen in walk 3, the server counted 10 before it, 10 after"
    ):
        marks.walk_again([bad], why="why")

    assert (bad.attempts, bad.done, marks.rewalks) == (1, False, 3)
    assert marks.walks[1].done


def test_bookmarks_come_back_as_they_were_written() -> None:
    marks = Bookmarks(UNTIL, START, [walk_of(10, 9), Walk(2, START, UNTIL, 3, last_id="aBé")])

    assert decode_bookmarks(encode_bookmarks(marks), Path("mirror")) == marks


def test_a_shard_is_not_tiny_and_the_rate_limit_is_what_walks_wait_for() -> None:
    shards = [shard_count(payments) for payments in (0, 400, 2_500, 16_000, 100_000)]
    walks = [walker_count(5, 0.3), walker_count(5, 0.0), walker_count(100, 0.05), walker_count(None, 1)]

    assert shards == [1, 1, 5, 32, 64]
    assert walks == [7, 2, 21, 16]


created = st.lists(st.integers(0, 730 * 24 * 60), min_size=0, max_size=300)


@given(created, st.integers(1, 12), st.booleans(), st.booleans())
def test_shards_tile_the_window_and_none_is_too_large(
    minutes: list[int], parts: int, bounded: bool, ends: bool
) -> None:
    """Each walk counts its shard with its first page, and is cut again where it has to be."""
    rows = sorted(START + timedelta(minutes=minute) for minute in minutes)
    window = Window(START if bounded else None, UNTIL if ends else None)
    most = max(1, len(rows) // parts)

    def inside(walk: Walk) -> list[datetime]:
        return [
            at for at in rows if (walk.since is None or at >= walk.since) and (walk.until is None or at < walk.until)
        ]

    shards = cut(window, first=rows[0] if rows else None, now=UNTIL, payments=len(rows), parts=parts)
    assert sum(shard.payments for shard in shards) == len(rows)
    walks = [
        Walk(number, shard.window.since, shard.window.until, shard.payments) for number, shard in enumerate(shards)
    ]
    marks = Bookmarks(UNTIL, START, list(walks))
    todo = walks if parts > 1 else []
    while todo:
        walk = todo.pop()
        finer = cut_finer(Window(walk.since, walk.until), payments=len(inside(walk)), most=most)
        if len(finer) > 1:
            todo += marks.split(walk, [part.since for part in finer[1:]], len(inside(walk)))

    in_time = sorted(marks.walks, key=lambda walk: (walk.until is None, walk.until))
    assert in_time[0].since == window.since
    assert in_time[-1].until == window.until
    assert all(a.until == b.since for a, b in pairwise(in_time))
    assert len({walk.number for walk in in_time}) == len(in_time)
    assert sum(len(inside(walk)) for walk in in_time) == len(rows)
    for walk in [walk for walk in in_time if walk.until is not None] if parts > 1 else []:
        assert 2 * len(inside(walk)) <= 3 * most or len(set(inside(walk))) == 1


def test_payments_of_one_instant_stay_together() -> None:
    instant = Window(START, START + timedelta(milliseconds=1))

    assert cut_finer(instant, payments=1000, most=10) == [instant]


def test_a_part_of_a_walk_of_changes_is_one_too() -> None:
    walk = Walk(1, START, UNTIL, 100, changed_since=START)
    marks = Bookmarks(UNTIL, START, [walk])

    parts = marks.split(walk, [START + timedelta(days=1), START + timedelta(days=2)], 90)

    assert [part.changed_since for part in parts] == [START] * 3
    assert [part.planned for part in parts] == [30, 30, 30]
    assert marks.walks == parts


def doubling(times: int):
    """A server that lists a row of the first page again in place of one of the second page."""
    original = page_walks.pages
    left = [times]

    async def pages(client, window, **options) -> AsyncIterator[Document]:
        first: Document | None = None
        async for document in original(client, window, **options):
            if first is not None and left[0] > 0:
                left[0] -= 1
                gone, double = document.ids[3].encode(), first.ids[7].encode()
                ids = [*document.ids[:3], first.ids[7], *document.ids[4:]]
                document = replace(document, ids=ids, body=document.body.replace(gone, double))
            first = document
            yield document

    return pages


async def test_a_payment_listed_twice_hides_no_other_one(serve, pull, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rows as counted, but not as many payments."""
    monkeypatch.setattr(page_walks, "pages", doubling(1))

    report = await pull(serve())

    assert (report.payments, report.rewalks) == (60, 1)


async def test_payments_that_are_always_listed_twice_are_an_incomplete_pull(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_walks, "pages", doubling(99))

    with pytest.raises(IncompletePull, match="a payment was listed twice"):
        await pull(serve(), mirror=tmp_path / "mirror")

    assert [path.name for path in sorted(tmp_path.glob("*"))] == ["mirror"]


async def test_a_loss_is_not_hidden_by_a_deletion_elsewhere(serve, pull, many_shards) -> None:
    """The totals agree: one row lost in one shard, one deleted in another after it was seen."""
    server = serve()
    world = server.world
    by_time = sorted(world.payment_ids(), key=lambda id_: world.payments.find(id_)["created_at"])
    lossy = serve(world, f"drop-row:{by_time[5]}")

    def delete(progress) -> None:
        if progress.payments >= progress.expected_payments - 1 and world.payments.find(by_time[-1]):
            world.delete(by_time[-1])

    with pytest.raises(IncompletePull):
        await pull(lossy, on_progress=delete, client={"first_retry_seconds": 0.1})


async def test_a_list_that_does_not_move_is_an_incomplete_pull(serve, pull, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ignores `id_gt` gives the first page for ever."""
    from reconcile.commercelayer import paging

    monkeypatch.setattr(paging, "behind", lambda first, after: first)

    with pytest.raises(IncompletePull, match="does not move on"):
        await pull(serve())


@pytest.mark.parametrize(("secret", "before"), [("hush-" * 20, 240), ('hush-"quoted"', 1)], ids=["cut", "escaped"])
async def test_a_secret_that_a_server_echoes_is_taken_out_of_the_message(serve, pull, secret: str, before: int) -> None:
    """Also where the message is cut in the middle of it, and where the body writes it in another way."""

    async def echo(request: web.Request) -> web.Response:
        sent = (await request.json())["client_secret"]
        body = {"errors": [{"title": "x" * before, "detail": sent, "code": "UNAUTHORIZED"}]}
        return web.json_response(body, status=401)

    app = web.Application()
    app.router.add_post("/oauth/token", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    auth_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        with pytest.raises(AuthError) as caught:
            await pull(serve(), client={"auth_url": auth_url, "credentials": Credentials("id", secret)})
    finally:
        await runner.cleanup()

    assert "hush" not in str(caught.value)
