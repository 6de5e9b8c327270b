"""A pull that broke off and is gone on with a night later ends as of that night, or begins anew and says so."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dying import Killed, exists, read
from export_rules import rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shops import change, flagged, kept, pages, rows, shop, today, unflagged

from reconcile.commercelayer import query
from reconcile.errors import CommerceLayerError, Unreachable
from reconcile.payments import resumed
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.sandbox.world.world import World

GIVING_UP = {"retry_seconds": 0.5}


def list_requests(server) -> int:
    return sum(request.path.endswith("/klarna_payments") for request in server.requests)


async def broken_off(serve, pull, world: World, mirror: Path, request: int, **options: Any) -> Any:
    """A pull of `world` that is given up from its list request of this number on; returns its server."""
    server = serve(world, f"5xx:#{request}+", exports=rules(), **today(world))
    with pytest.raises(Unreachable):
        await pull(server, mirror=mirror, client=GIVING_UP, **options)
    return server


async def undisturbed(serve, pull, world: World, tmp_path: Path, **options: Any) -> bytes:
    await pull(serve(world, **today(world)), destination=tmp_path / "undisturbed.parquet", **options)
    return read(tmp_path / "undisturbed.parquet")


def changes_of_a_day(world: World) -> None:
    """Orders that are cancelled and become dearer, a payment of another reference, new ones, and one that is gone."""
    change(world)
    ordered = [id_ for id_ in unflagged(world) if world.payments.find(id_)["order_id"]]
    world.update_order(world.payments.find(ordered[1])["order_id"], status="cancelled", payment_status="voided")
    world.update_order(world.payments.find(ordered[-2])["order_id"], total_amount_with_taxes_cents=123_456)
    world.insert()
    world.delete(flagged(world)[1])


@pytest.mark.parametrize(
    "incremental", [pytest.param(False, marks=pytest.mark.slow), True], ids=["full", "incremental"]
)
@pytest.mark.parametrize("via", ["pages", *(pytest.param(via, marks=pytest.mark.slow) for via in ("exports", "auto"))])
async def test_what_happened_since_it_broke_off_is_in_the_pull_that_goes_on(
    serve, pull, tmp_path: Path, via: str, incremental: bool
) -> None:
    for number in range(3, 9):
        world, mirror = shop(160), tmp_path / f"mirror-{number}"
        await broken_off(serve, pull, world, mirror, number, via=via)
        changes_of_a_day(world)
        expected = await undisturbed(serve, pull, world, tmp_path)

        report = await pull(
            serve(world, exports=rules(), **today(world)), mirror=mirror, via=via, incremental=incremental
        )

        assert read(tmp_path / "payments.parquet") == expected, number
        assert kept(mirror) == rows(tmp_path / "payments.parquet")
        assert report.payments == report.count_after == 161
        assert not any("anew" in warning.text for warning in report.warnings)


async def test_it_says_what_it_went_on_from_and_what_all_of_it_has_cost(serve, pull, tmp_path: Path) -> None:
    world = shop(160)
    first = await broken_off(serve, pull, world, tmp_path / "mirror", 5)
    broken_at = datetime.now(UTC)
    changes_of_a_day(world)
    server = serve(world, **today(world))

    report = await pull(server, mirror=tmp_path / "mirror")

    assert (report.resumed, report.incremental, report.warnings) == (True, True, ())
    assert report.started_at < broken_at < report.finished_at
    assert report.updated >= 5
    assert report.rechecked >= 16
    # Of the first one what was committed, of the second one everything.
    assert len(server.requests) < report.requests <= len(first.requests) + len(server.requests)


async def test_a_full_pull_by_exports_that_went_on_says_so(serve, pull, tmp_path: Path) -> None:
    world = shop(160)
    await broken_off(serve, pull, world, tmp_path / "mirror", 6, via="exports")
    changes_of_a_day(world)

    report = await pull(serve(world, exports=rules(), **today(world)), mirror=tmp_path / "mirror", via="exports")

    assert report.transport == "exports, then pages"
    assert report.transport_reason == "as asked for"


async def test_an_incremental_pull_that_broke_off_is_brought_up_to_date(serve, pull, tmp_path: Path) -> None:
    for number in range(2, 5):
        world, mirror = shop(120), tmp_path / f"mirror-{number}"
        await pull(serve(world, **today(world)), mirror=mirror)
        changes_of_a_day(world)
        await broken_off(serve, pull, world, mirror, number, incremental=True)
        changes_of_a_day(world)
        expected = await undisturbed(serve, pull, world, tmp_path)

        report = await pull(serve(world, **today(world)), mirror=mirror, incremental=True)

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.incremental
        assert report.vanished == 2
        assert set(rows(mirror / "vanished.parquet")).isdisjoint(world.payment_ids())


@pytest.mark.parametrize("incremental", [False, True], ids=["full", "incremental"])
async def test_a_deletion_that_nobody_can_name_has_everything_pulled_anew(
    serve, pull, tmp_path: Path, incremental: bool
) -> None:
    world = shop(160)
    if incremental:
        await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")
        change(world)
    await broken_off(serve, pull, world, tmp_path / "mirror", 3 if incremental else 5, incremental=incremental)
    world.delete(unflagged(world)[7])
    expected = await undisturbed(serve, pull, world, tmp_path)

    report = await pull(serve(world, **today(world)), mirror=tmp_path / "mirror", incremental=incremental)

    assert read(tmp_path / "payments.parquet") == expected
    assert (report.incremental, report.resumed) == (False, False)
    (warning,) = report.warnings
    assert warning.text.startswith(
        "everything was pulled from scratch: the interrupted pull could not be brought up to date: "
    )
    assert "some have been deleted, and it is not known which" in warning.text
    assert report.vanished == incremental
    assert not list((tmp_path / "mirror" / "resumed").iterdir())


async def test_a_server_that_does_not_list_by_change_has_everything_pulled_anew(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(160)
    await broken_off(serve, pull, world, tmp_path / "mirror", 5)
    changes_of_a_day(world)
    expected = await undisturbed(serve, pull, world, tmp_path)
    monkeypatch.setattr(query, "_CHANGED", "filter[q][changed_at_gteq]")

    report = await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")

    assert read(tmp_path / "payments.parquet") == expected
    assert "could not be brought up to date: GET klarna_payments: status 400" in report.warnings[0].text


async def test_a_server_that_does_not_list_by_id_has_everything_pulled(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(160)
    await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")
    monkeypatch.setattr(
        "reconcile.commercelayer.by_id.by_id_params", lambda ids, _: {"filter[q][identity_in]": ",".join(ids)}
    )

    report = await pull(serve(world, **today(world)), mirror=tmp_path / "mirror", incremental=True)

    assert read(tmp_path / "payments.parquet") == await undisturbed(serve, pull, world, tmp_path)
    assert "although an incremental pull was requested" in report.warnings[0].text


async def test_payments_that_came_with_an_old_date_have_everything_pulled_anew(serve, pull, tmp_path: Path) -> None:
    world = shop(160)
    await broken_off(serve, pull, world, tmp_path / "mirror", 7)
    old = "2025-01-01T00:00:00.000Z"
    late = world.insert()
    world.update(late, touch=False, created_at="2026-06-30T23:00:00.000Z", updated_at=old)
    world.update_order(world.payments.find(late)["order_id"], touch=False, updated_at=old)
    expected = await undisturbed(serve, pull, world, tmp_path)

    report = await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")

    assert read(tmp_path / "payments.parquet") == expected
    assert report.payments == 161


async def test_a_window_that_ended_before_it_broke_off_is_brought_up_to_date_too(serve, pull, tmp_path: Path) -> None:
    world = shop(160)
    window = {"since": datetime(2025, 1, 1, tzinfo=UTC), "until": datetime(2026, 6, 1, tzinfo=UTC)}
    await broken_off(serve, pull, world, tmp_path / "mirror", 4, **window)
    inside = [id_ for id_ in unflagged(world) if "2025-01" < world.payments.find(id_)["created_at"] < "2026-06"]
    world.update(inside[3], reference="touched")
    world.insert()
    expected = await undisturbed(serve, pull, world, tmp_path, **window)

    report = await pull(serve(world, **today(world)), mirror=tmp_path / "mirror", **window)

    assert read(tmp_path / "payments.parquet") == expected
    assert report.until == window["until"]
    assert rows(tmp_path / "payments.parquet")[inside[3]]["reference"] == "touched"


async def test_night_after_night_that_breaks_off_no_page_is_read_again(serve, pull, tmp_path: Path) -> None:
    """Broken in the full pull, then twice while it is brought up to date; each night something has changed."""
    world, mirror = shop(160), tmp_path / "mirror"
    servers = [await broken_off(serve, pull, world, mirror, 5)]
    for number in (8, 4, 4):
        changes_of_a_day(world)
        server = serve(world, f"5xx:#{number}+", **today(world))
        servers.append(server)
        with pytest.raises(Unreachable):
            await pull(server, mirror=mirror, client=GIVING_UP)
        assert not exists(tmp_path / "payments.parquet")
    changes_of_a_day(world)
    servers.append(serve(world, **today(world)))
    expected = await undisturbed(serve, pull, world, tmp_path)

    report = await pull(servers[-1], mirror=mirror)

    assert read(tmp_path / "payments.parquet") == expected
    assert (report.resumed, report.warnings) == (True, ())
    assert sum(pages(server) for server in servers) == 7


async def test_a_pull_that_begins_anew_and_breaks_off_again_still_says_why(serve, pull, tmp_path: Path) -> None:
    world, mirror = shop(160), tmp_path / "mirror"
    await broken_off(serve, pull, world, mirror, 5)
    world.delete(unflagged(world)[7])
    server = serve(world, "5xx:#15+", **today(world))
    with pytest.raises(Unreachable):
        await pull(server, mirror=mirror, client=GIVING_UP)
    change(world)

    report = await pull(serve(world, **today(world)), mirror=mirror)

    assert read(tmp_path / "payments.parquet") == await undisturbed(serve, pull, world, tmp_path)
    assert "everything was pulled from scratch" in report.warnings[0].text


async def test_a_full_and_an_incremental_command_go_on_from_the_same_rows(serve, pull, tmp_path: Path) -> None:
    """A pull was proved as of its own cut-off, and broke off while it was brought up to date."""
    world = shop(160)
    for number, (broken, then) in enumerate([(False, True), (True, False)]):
        mirror = tmp_path / f"mirror-{number}"
        if broken:
            await pull(serve(world, **today(world)), mirror=mirror)
            changes_of_a_day(world)
        await broken_off(serve, pull, world, mirror, 3, incremental=broken)
        with pytest.raises(Unreachable):
            await pull(
                serve(world, "5xx:#9+" if not broken else "5xx:#4+"),
                mirror=mirror,
                client=GIVING_UP,
                incremental=broken,
            )
        assert list((mirror / "resumed").glob("*/payments.parquet"))
        changes_of_a_day(world)
        server = serve(world, **today(world))

        report = await pull(server, mirror=mirror, incremental=then)

        assert read(tmp_path / "payments.parquet") == await undisturbed(serve, pull, world, tmp_path)
        assert (report.resumed, pages(server)) == (True, 0)


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[None]:
    """Have the process die before the `number`th thing that it writes into a mirror, or drops there."""
    left = [number]
    steps: list[tuple[Any, str]] = [
        (UnfinishedPull, "commit"),
        (UnfinishedPull, "forget"),
        (resumed, "remember"),
        (resumed.shutil, "copyfile"),
        (resumed, "sync"),
    ]

    def mortal(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **keywords: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                raise Killed
            return step(*arguments, **keywords)

        return run

    with monkeypatch.context() as patched:
        for place, name in steps:
            patched.setattr(place, name, mortal(getattr(place, name)))
        yield


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in ("full", "incremental", "anew")]
)
async def test_killed_at_any_step_of_catching_up_the_same_command_ends_as_of_now(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Before the first, second, third… thing that is written, until a pull comes to its end; and then a day later."""
    incremental = kind == "incremental"
    broken, template = tmp_path / "broken", world_of(kind)
    if incremental:
        await pull(serve(shop(90), **today(template)), mirror=broken)
    await broken_off(serve, pull, template, broken, 3 if incremental else 5, incremental=incremental, commit_pages=1)
    steps, ended = 0, False
    while not ended:
        steps += 1
        world, mirror = world_of(kind), tmp_path / f"mirror-{steps}"
        changes_of_a_day(world)
        if kind == "anew":
            world.delete(unflagged(world)[7])
        shutil.copytree(broken, mirror)
        server = serve(world, **today(world))
        ended = await killed_before(steps, pull, server, mirror, monkeypatch, incremental=incremental)
        changes_of_a_day(world)
        expected, server = await undisturbed(serve, pull, world, tmp_path), serve(world, **today(world))
        for then in (incremental, not incremental):
            shutil.copytree(mirror, tmp_path / "again")

            report = await pull(server, mirror=tmp_path / "again", incremental=then, commit_pages=1)

            assert read(tmp_path / "payments.parquet") == expected, (steps, then)
            assert report.payments == report.count_after
            shutil.rmtree(tmp_path / "again")
    assert steps > 8


def world_of(kind: str) -> World:
    """The world as it is when the pull breaks off, the same each time."""
    world = shop(90)
    if kind == "incremental":
        change(world)
    return world


async def killed_before(
    step: int, pull, server, mirror: Path, monkeypatch: pytest.MonkeyPatch, *, incremental: bool
) -> bool:
    """Kill a pull before it writes for the `step`th time, and return whether it came to its end before."""
    try:
        with dying(monkeypatch, step):
            await pull(server, mirror=mirror, incremental=incremental, commit_pages=1)
    except Killed:
        return False
    return True


nights = st.lists(
    st.tuples(
        st.sampled_from(["break", "break", "day", "delete unnamed", "delete flagged", "insert", "night"]),
        st.integers(2, 12),
        st.booleans(),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nights)
def test_however_nights_break_off_the_one_that_ends_is_that_of_its_moment(
    serve, pull, tmp_path: Path, nights: list[tuple[str, int, bool]]
) -> None:
    world, mirror = shop(100), tmp_path / "mirror"
    shutil.rmtree(mirror, ignore_errors=True)

    async def live() -> None:
        for happens, number, incremental in [*nights, ("night", 0, False)]:
            match happens:
                case "break":
                    server = serve(world, f"5xx:#{number}+", **today(world))
                    with suppress(CommerceLayerError):
                        await pull(server, mirror=mirror, client=GIVING_UP, incremental=incremental)
                case "day":
                    changes_of_a_day(world)
                case "insert":
                    world.insert()
                case "delete flagged":
                    world.delete(flagged(world)[number % len(flagged(world))])
                case "delete unnamed":
                    world.delete(unflagged(world)[number])
                case "night":
                    report = await pull(serve(world, **today(world)), mirror=mirror, incremental=incremental)
                    expected = await undisturbed(serve, pull, world, tmp_path)
                    found = read(tmp_path / "payments.parquet")
                    assert found == expected or any("fewer than are" in one.text for one in report.warnings)
                    assert found == expected or not report.resumed

    asyncio.run(live())
