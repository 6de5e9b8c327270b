"""An incremental pull ends with the bytes of a full one; what has vanished is noted, what cannot be proved is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dying import Killed, exists, read, remove
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shops import CLOSED, Clock, change, flagged, kept, rows, shop, unflagged

from reconcile.commercelayer import query
from reconcile.errors import IncompletePull, Unreachable
from reconcile.payments.bookmarks import Walk, accounts_for
from reconcile.payments.finished import VANISHED, lost_ids
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.payments.mirror.sorted_rows import write_payments
from reconcile.sandbox.world.world import World
from reconcile.schema import MIRRORED


async def full(serve, pull, world: World, tmp_path: Path) -> bytes:
    """What a pull of everything gives, without a mirror."""
    await pull(serve(world), destination=tmp_path / "full.parquet")
    return read(tmp_path / "full.parquet")


def list_requests(server) -> int:
    return sum(request.path.endswith("/klarna_payments") for request in server.requests)


async def test_an_incremental_pull_ends_with_the_bytes_of_a_full_one(serve, pull, tmp_path: Path) -> None:
    world = shop(600)
    await pull(serve(world), mirror=tmp_path / "mirror")
    change(world)
    server = serve(world)

    report = await pull(server, mirror=tmp_path / "mirror", incremental=True)

    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)
    assert kept(tmp_path / "mirror") == rows(tmp_path / "payments.parquet")
    assert (report.incremental, report.payments, report.count_after) == (True, 601, 601)
    assert report.updated >= 3
    assert report.rechecked >= 66
    assert (report.vanished, report.warnings) == (0, ())
    assert list_requests(server) == 1 + 1 + 3 + 1  # a count, a page of changes, three of flagged ones, a count


async def test_night_after_night_the_bytes_stay_those_of_a_full_pull(serve, pull, tmp_path: Path) -> None:
    world = shop(120)
    await pull(serve(world), mirror=tmp_path / "mirror")
    for _ in range(3):
        change(world)
        report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

        assert report.incremental
        assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


async def test_what_was_pulled_by_exports_is_continued_by_pages(serve, pull, tmp_path: Path) -> None:
    world = shop()
    first = await pull(serve(world), mirror=tmp_path / "mirror", via="exports")
    change(world)

    report = await pull(serve(world), mirror=tmp_path / "mirror", via="exports", incremental=True)

    assert (first.transport, report.transport, report.incremental) == ("exports", "pages", True)
    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


async def test_a_shop_that_was_empty_is_continued(serve, pull, tmp_path: Path) -> None:
    world = World.generate(1, now=Clock())
    world.delete(world.payment_ids()[0])
    empty = await pull(serve(world), mirror=tmp_path / "mirror")
    world.insert({"reference": "first"}, order={"currency_code": "EUR"})

    # The clock of this world lies behind that of the server: only the overlap reaches back to it.
    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True, overlap=timedelta(days=36_500))

    assert (empty.payments, report.payments, report.updated) == (0, 1, 1)
    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


@pytest.fixture
def many_shards_of_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut few changes too."""
    monkeypatch.setattr("reconcile.payments.page_walks.shard_count", lambda payments: 4 if payments >= 4 else 1)


@pytest.mark.usefixtures("many_shards_of_changes")
async def test_many_changes_are_walked_in_shards(serve, pull, tmp_path: Path) -> None:
    world = shop(300)
    await mirrored(serve, pull, world, tmp_path)
    for id_ in unflagged(world)[::2]:
        world.update(id_, reference=f"touched {id_}")
    change(world)

    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

    assert report.shards >= 4
    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("many_shards_of_changes")
@pytest.mark.parametrize(
    "happens", ["delete", "insert", "insert-old", "update", "drop-row", "wrong-count", "wrong-count:-1"]
)
async def test_what_happens_at_any_request_loses_no_payment(serve, pull, tmp_path: Path, happens: str) -> None:
    """A pull that ends well has every payment that is there; one too many is told."""
    kind, _, value = happens.partition(":")
    template = shop()
    before = await mirrored(serve, pull, template, tmp_path, "before")
    for number in range(1, 10):
        world = shop()
        for id_ in unflagged(world)[:30]:
            world.update(id_, reference="touched")
        shutil.copytree(before, tmp_path / "mirror")

        try:
            report = await pull(
                serve(world, f"{kind}:#{number}" + (f":{value}" if value else "")),
                mirror=tmp_path / "mirror",
                incremental=True,
            )
        except IncompletePull as error:
            assert kind == "insert-old", (number, error)
        else:
            found, present = set(rows(tmp_path / "payments.parquet")), set(world.payment_ids())
            assert present <= found, number
            assert len(found - present) <= len(report.warnings) + (kind == "delete"), number
            if kind in ("drop-row", "wrong-count"):  # the world itself stays as it is
                pulled = read(tmp_path / "payments.parquet")
                assert pulled == await full(serve, pull, world, tmp_path), number
        shutil.rmtree(tmp_path / "mirror")


actions = st.lists(
    st.tuples(
        st.sampled_from(["update", "order", "insert", "unflag", "delete flagged", "delete named", "night"]),
        st.integers(0, 10**6),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_whatever_changes_between_nights_the_bytes_are_those_of_a_full_pull(
    serve, pull, tmp_path: Path, actions: list[tuple[str, int]]
) -> None:
    world = shop(60)
    server = serve(world)
    shutil.rmtree(tmp_path / "mirror", ignore_errors=True)

    async def nights() -> None:
        await pull(server, mirror=tmp_path / "mirror")
        seen, named = set(rows(tmp_path / "payments.parquet")), set[str]()
        for action, number in [*actions, ("night", 0)]:
            if action != "night":
                act(world, action, number, named)
                continue
            report = await pull(server, mirror=tmp_path / "mirror", incremental=True, recheck=named)
            await pull(server, destination=tmp_path / "full.parquet")
            assert read(tmp_path / "payments.parquet") == read(tmp_path / "full.parquet")
            assert (report.incremental, report.warnings) == (True, ())
            seen |= set(rows(tmp_path / "payments.parquet"))
            assert vanished(tmp_path) == seen - set(world.payment_ids())

    asyncio.run(nights())


def vanished(folder: Path) -> set[str]:
    file = folder / "mirror" / "vanished.parquet"
    return set(rows(file)) if file.exists() else set()


def act(world: World, action: str, number: int, named: set[str]) -> None:
    """Change the world in a way that an incremental pull can see, if `named` is checked by id."""
    known = world.payment_ids()
    chosen = known[number % len(known)]
    match action:
        case "update":
            world.update(chosen, reference=f"updated {number}", mismatched_amounts=number % 2 == 0)
        case "order":
            if order_id := world.payments.find(chosen)["order_id"]:
                world.update_order(order_id, total_amount_with_taxes_cents=number)
        case "insert":
            world.insert()
        case "unflag":
            if suspects := flagged(world):
                world.update(suspects[number % len(suspects)], touch=False, mismatched_amounts=False)
        case "delete named":
            named.add(chosen)
            delete(world, chosen)
        case "delete flagged":
            # Flagged in the last pull already: what is flagged since is in the mirror as it was before.
            if suspects := [id_ for id_ in flagged(world) if world.payments.find(id_)["updated_at"] < "2026-07-01"]:
                delete(world, suspects[number % len(suspects)])


def delete(world: World, payment_id: str) -> None:
    """Delete a payment; of its order, which may have been paid with it, other payments are seen to have changed."""
    order_id = world.payments.find(payment_id)["order_id"]
    world.delete(payment_id)
    if order_id:
        world.update_order(order_id)


async def mirrored(serve, pull, world: World, tmp_path: Path, name: str = "mirror") -> Path:
    """A mirror with a finished pull of `world`."""
    await pull(serve(world), mirror=tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("fault", ["5xx", "reset", "truncate", "invalid-json", "revoke"])
async def test_what_mends_itself_at_any_request_changes_nothing(serve, pull, tmp_path: Path, fault: str) -> None:
    world = shop()
    before = await mirrored(serve, pull, world, tmp_path, "before")
    change(world)
    expected = await full(serve, pull, world, tmp_path)
    for number in range(1, 7):
        shutil.copytree(before, tmp_path / "mirror", dirs_exist_ok=True)

        await pull(serve(world, f"{fault}:#{number}"), mirror=tmp_path / "mirror", incremental=True)

        assert read(tmp_path / "payments.parquet") == expected, number
        shutil.rmtree(tmp_path / "mirror")


async def test_given_up_at_any_request_the_same_command_goes_on(serve, pull, tmp_path: Path) -> None:
    world = shop()
    before = await mirrored(serve, pull, world, tmp_path, "before")
    change(world)
    expected = await full(serve, pull, world, tmp_path)
    undisturbed = serve(world)
    shutil.copytree(before, tmp_path / "undisturbed")
    await pull(undisturbed, mirror=tmp_path / "undisturbed", incremental=True)
    for number in range(1, list_requests(undisturbed) + 1):
        shutil.copytree(before, tmp_path / "mirror")
        remove(tmp_path / "payments.parquet")
        with pytest.raises(Unreachable):
            await pull(
                serve(world, f"5xx:#{number}+"),
                mirror=tmp_path / "mirror",
                incremental=True,
                client={"retry_seconds": 0.5},
            )
        assert not exists(tmp_path / "payments.parquet")

        report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.resumed is (number > 2)
        shutil.rmtree(tmp_path / "mirror")


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["before", "after"])
async def test_killed_at_any_commit_the_same_command_ends_with_the_same_bytes(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    world = shop(120)
    before = await mirrored(serve, pull, world, tmp_path, "before")
    for id_ in unflagged(world)[:60]:
        world.update(id_, reference=f"touched {id_}")
    expected = await full(serve, pull, world, tmp_path)
    commit = UnfinishedPull.commit
    for number in range(1, 6):
        shutil.copytree(before, tmp_path / "mirror")
        left = [number]

        def dying(self: UnfinishedPull, batches, bookmarks, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0 and after:
                commit(self, batches, bookmarks)
            if left[0] <= 0:
                raise Killed
            commit(self, batches, bookmarks)

        with monkeypatch.context() as dead:
            dead.setattr(UnfinishedPull, "commit", dying)
            with contextlib.suppress(Killed):
                await pull(serve(world), mirror=tmp_path / "mirror", incremental=True, commit_pages=1)
        report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True, commit_pages=1)

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.incremental
        shutil.rmtree(tmp_path / "mirror")


async def test_cancelled_at_any_commit_it_is_kept_and_gone_on_from(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(120)
    before = await mirrored(serve, pull, world, tmp_path, "before")
    change(world)
    expected = await full(serve, pull, world, tmp_path)
    commit, loop = UnfinishedPull.commit, asyncio.get_running_loop()
    for number in (1, 2):  # of the changes, and of the payments asked for by id
        shutil.copytree(before, tmp_path / "mirror")
        server = serve(world)
        task = asyncio.ensure_future(pull(server, mirror=tmp_path / "mirror", incremental=True))
        commits = []

        def cancelling(
            self: UnfinishedPull, batches, bookmarks, number: int = number, task=task, commits: list = commits
        ) -> None:
            commits.append(bookmarks)
            if len(commits) == number:
                loop.call_soon_threadsafe(task.cancel)
            commit(self, batches, bookmarks)

        with monkeypatch.context() as patched:
            patched.setattr(UnfinishedPull, "commit", cancelling)
            with pytest.raises(asyncio.CancelledError):
                await task
        again = serve(world)
        await pull(again, mirror=tmp_path / "mirror", incremental=True)

        assert read(tmp_path / "payments.parquet") == expected, number
        assert len(commits) == number
        # Nothing is read twice: a count, a page, those by id, a count; and again, for what changed since.
        assert list_requests(server) + list_requests(again) <= 4 + 4
        shutil.rmtree(tmp_path / "mirror")


async def test_killed_while_the_mirror_takes_the_result_over_the_next_night_is_right(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever files are there by then: the old state or the new one, never half of both."""
    world = shop()
    before = await mirrored(serve, pull, world, tmp_path, "before")
    change(world)
    world.delete(flagged(world)[0])
    expected = await full(serve, pull, world, tmp_path)
    for place in ("finished.mark_vanished", "finished.remember", "mirror.mirror.shutil.copyfile", "mirror.mirror.sync"):
        shutil.copytree(before, tmp_path / "mirror")

        def killed(*_: object, **__: object) -> None:
            raise Killed

        with monkeypatch.context() as dead, pytest.raises(Killed):
            dead.setattr(f"reconcile.payments.{place}", killed)
            await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)
        report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

        assert (report.incremental, report.warnings) == (True, ()), place
        assert read(tmp_path / "payments.parquet") == expected
        assert len(vanished(tmp_path)) == 1
        shutil.rmtree(tmp_path / "mirror")


async def test_without_a_finished_pull_everything_is_pulled_and_that_is_said(serve, pull, tmp_path: Path) -> None:
    report = await pull(serve(shop()), mirror=tmp_path / "mirror", incremental=True)

    assert (report.incremental, report.payments) == (False, 60)
    (warning,) = report.warnings
    assert (warning.code, warning.text) == (
        "full_pull",
        "everything was pulled, although an incremental pull was requested: no pull has been finished in this mirror",
    )


async def test_only_a_pull_of_the_same_window_is_continued(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    since = datetime(2025, 1, 1, tzinfo=UTC)

    first = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True, since=since)
    second = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True, since=since)

    assert "is of another window" in first.warnings[0].text
    assert (first.incremental, second.incremental) == (False, True)
    assert second.payments == first.payments < 60
    assert vanished(tmp_path) == set()


async def test_a_mirror_that_somebody_changed_is_not_continued(serve, pull, tmp_path: Path) -> None:
    world = shop()
    mirror = await mirrored(serve, pull, world, tmp_path)
    shutil.copyfile(await narrowed(serve, pull, world, tmp_path), mirror / "payments.parquet")

    report = await pull(serve(world), mirror=mirror, incremental=True)

    assert (report.incremental, report.payments) == (False, 60)
    assert "not as the last finished pull left them" in report.warnings[0].text


async def narrowed(serve, pull, world: World, tmp_path: Path) -> Path:
    narrow = tmp_path / "narrow.parquet"
    await pull(serve(world), destination=narrow, since=datetime(2025, 6, 1, tzinfo=UTC))
    return narrow


async def test_a_server_that_cannot_filter_by_changes_is_pulled_in_full(
    serve, pull, tmp_path: Path, monkeypatch
) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    monkeypatch.setattr(query, "_CHANGED", "filter[q][changed_at_gteq]")

    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

    assert (report.incremental, report.payments) == (False, 60)
    assert "payments cannot be listed by their changes: GET klarna_payments: status 400" in report.warnings[0].text


async def test_a_full_pull_notes_what_has_vanished_and_when(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    gone = sorted(world.payment_ids()[20:23])
    was = {id_: rows(tmp_path / "payments.parquet")[id_] for id_ in gone}
    for id_ in gone:
        world.delete(id_)

    report = await pull(serve(world), mirror=tmp_path / "mirror")
    again = await pull(serve(world), mirror=tmp_path / "mirror")

    noted = rows(tmp_path / "mirror" / "vanished.parquet")
    at = {row.pop("vanished_at") for row in noted.values()}
    assert noted == was
    assert at == {report.finished_at.replace(microsecond=report.finished_at.microsecond // 1000 * 1000)}
    assert (report.vanished, again.vanished) == (3, 0)
    assert pq.read_schema(tmp_path / "mirror" / "vanished.parquet").equals(VANISHED)


async def test_a_payment_that_comes_back_is_no_longer_noted_as_vanished(serve, pull, tmp_path: Path) -> None:
    whole, without = shop(), shop()
    back, gone = sorted(without.payment_ids()[20:22])
    await mirrored(serve, pull, whole, tmp_path)
    without.delete(back)
    without.delete(gone)
    await pull(serve(without), mirror=tmp_path / "mirror")
    assert vanished(tmp_path) == {back, gone}
    whole.delete(gone)

    await pull(serve(whole), mirror=tmp_path / "mirror")

    assert vanished(tmp_path) == {gone}


async def test_what_vanished_without_being_named_is_told_not_guessed(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    world.delete(unflagged(world)[7])
    world.delete(unflagged(world)[9])

    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)
    mended = await pull(serve(world), mirror=tmp_path / "mirror")

    assert (report.payments, report.count_after, report.vanished) == (60, 58, 0)
    assert "the server counts 2 payments fewer" in report.warnings[0].text
    assert "--full" in report.warnings[0].text
    assert (mended.payments, mended.vanished, mended.warnings) == (58, 2, ())


async def test_payments_that_came_in_with_an_old_time_are_an_incomplete_pull(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    late = world.insert()
    world.update(late, touch=False, created_at="2025-01-01T00:00:00.000Z", updated_at="2025-01-01T00:00:00.000Z")
    world.update_order(world.payments.find(late)["order_id"], touch=False, updated_at="2025-01-01T00:00:00.000Z")
    remove(tmp_path / "payments.parquet")

    with pytest.raises(IncompletePull, match=r"the server counts 61 payments .* there are 60") as caught:
        await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)
    report = await pull(serve(world), mirror=tmp_path / "mirror")

    assert "--full" in (caught.value.hint or "")
    assert report.payments == 61


async def test_what_changed_during_a_pull_is_read_by_the_next(serve, pull, tmp_path: Path) -> None:
    """The newest time seen is no watermark: a payment read before its own change may lie hours behind it."""
    servers: list = []

    def hours_later() -> int:
        """The first change is an hour old, the second ten: between them lie nine hours of the pull."""
        hours = 1 if list_requests(servers[0]) <= 3 else 10
        return int((datetime.now(UTC) + timedelta(hours=hours)).timestamp()) * 10**6

    world = World.generate(60, now=hours_later)
    ids = [id_ for id_ in world.payment_ids() if world.payments.find(id_)["order_id"]]
    servers.append(serve(world, f"update:#3:{ids[0]}", f"update:#4:{ids[-1]}"))

    await pull(servers[0], mirror=tmp_path / "mirror")
    stale = rows(tmp_path / "payments.parquet")[ids[0]]
    await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

    assert stale != rows(tmp_path / "payments.parquet")[ids[0]]
    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


async def given_up_before_its_proof(serve, pull, world: World, tmp_path: Path, **options) -> None:
    """An incremental pull that has read everything, and never gets the last count."""
    server = serve(world)
    shutil.copytree(tmp_path / "mirror", tmp_path / "undisturbed")
    await pull(server, mirror=tmp_path / "undisturbed", incremental=True, **options)
    with pytest.raises(Unreachable):
        await pull(
            serve(world, f"5xx:#{list_requests(server)}+"),
            mirror=tmp_path / "mirror",
            incremental=True,
            client={"retry_seconds": 0.5},
            **options,
        )


async def test_changes_read_before_a_later_full_pull_do_not_come_back(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    world.update(unflagged(world)[5], reference="first")
    await given_up_before_its_proof(serve, pull, world, tmp_path)
    world.update(unflagged(world)[5], reference="second", mismatched_amounts=True)
    world.update(flagged(world)[0], touch=False, mismatched_amounts=None)
    await pull(serve(world), mirror=tmp_path / "mirror")

    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

    assert (report.incremental, report.resumed) == (True, False)
    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


async def test_another_list_of_payments_to_check_is_checked_from_its_start(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    await given_up_before_its_proof(serve, pull, world, tmp_path)
    named = sorted(unflagged(world))[0]
    world.update(named, touch=False, mismatched_amounts=True)

    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True, recheck={named})

    assert (report.resumed, report.vanished) == (True, 0)
    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)


async def test_a_full_pull_that_ends_late_misses_nothing_created_after_its_cut_off(serve, pull, tmp_path: Path) -> None:
    """A full pull broke off, incremental ones went past it; gone on with it ends as of now, and takes nothing back."""

    def on_day(day: int) -> dict:
        return {"wall_clock": lambda: (CLOSED + timedelta(days=day)).timestamp()}

    world = shop()
    await pull(serve(world, **on_day(1)), mirror=tmp_path / "mirror")
    with pytest.raises(Unreachable):
        await pull(serve(world, "5xx:#3+", **on_day(2)), mirror=tmp_path / "mirror", client={"retry_seconds": 0.5})
    world.update(world.insert(), created_at="2026-07-03T12:00:00.000Z")
    newer = await pull(serve(world, **on_day(3)), mirror=tmp_path / "mirror", incremental=True)

    late = await pull(serve(world, **on_day(4)), mirror=tmp_path / "mirror")

    assert (newer.payments, late.payments, late.resumed) == (61, 61, True)
    assert (late.vanished, vanished(tmp_path)) == (0, set())


def test_what_was_created_after_the_cut_off_is_not_missed(tmp_path: Path) -> None:
    def written(name: str, *days: int) -> Path:
        at = [{"payment_id": f"p{day}", "created_at": CLOSED + timedelta(day), "updated_at": CLOSED} for day in days]
        write_payments([pa.Table.from_pylist(at, schema=MIRRORED)], tmp_path / name, columns=MIRRORED)
        return tmp_path / name

    earlier, later = written("earlier", 1, 2, 3, 4), written("later", 1, 3)

    assert lost_ids(earlier, later, before=CLOSED + timedelta(4)) == {"p2"}
    assert lost_ids(later, earlier, before=CLOSED + timedelta(4)) == set()


async def test_a_row_lost_from_a_page_of_changes_is_found_though_another_came_in(serve, pull, tmp_path: Path) -> None:
    world = shop(120)
    await mirrored(serve, pull, world, tmp_path)
    for id_ in unflagged(world)[:40]:
        world.update(id_, reference="touched")

    report = await pull(serve(world, "drop-row:#2", "update:#3"), mirror=tmp_path / "mirror", incremental=True)

    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)
    assert report.rewalks >= 1


async def test_changes_that_are_walked_again_are_newer_than_what_was_asked_by_id(serve, pull, tmp_path: Path) -> None:
    """The last count is wrong once, and a flagged payment changes before the changes are walked again."""
    world = shop()
    await mirrored(serve, pull, world, tmp_path)
    server = serve(world, "wrong-count:#4", f"update:#5:{flagged(world)[2]}")

    report = await pull(server, mirror=tmp_path / "mirror", incremental=True)

    assert read(tmp_path / "payments.parquet") == await full(serve, pull, world, tmp_path)
    assert report.rewalks == 1


@pytest.mark.parametrize(
    ("before", "seen", "lacking", "holds"),
    [(10, 10, 0, True), (10, 12, 0, True), (10, 9, 0, False), (10, 10, 1, False), (10, 12, 1, False)],
)
def test_a_walk_of_changes_may_see_more_and_never_less(before: int, seen: int, lacking: int, holds: bool) -> None:
    walk = Walk(1, None, CLOSED, before, before=before, after=before, seen=seen, done=True, changed_since=CLOSED)
    walk.lacking = lacking

    assert accounts_for(walk) is holds


async def test_a_flagged_row_that_is_listed_short_is_not_taken_for_vanished(serve, pull, tmp_path: Path) -> None:
    world = shop()
    await mirrored(serve, pull, world, tmp_path)

    with pytest.raises(IncompletePull, match="asked for 7 payments by id, the server counts 7 of them and lists 6"):
        await pull(serve(world, f"drop-row:{flagged(world)[3]}"), mirror=tmp_path / "mirror", incremental=True)

    assert vanished(tmp_path) == set()


async def test_a_clock_that_was_set_back_takes_no_payment_away(serve, pull, tmp_path: Path) -> None:
    world = shop()
    mirror = await mirrored(serve, pull, world, tmp_path)
    record = json.loads((mirror / "finished.json").read_text())
    record["finished"][0]["cut_off"] = "2099-01-01T00:00:00Z"
    (mirror / "finished.json").write_text(json.dumps(record))

    report = await pull(serve(world), mirror=mirror, incremental=True)

    assert (report.payments, report.until.year, report.warnings) == (60, 2099, ())
