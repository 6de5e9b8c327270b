"""Whatever a mirror holds: an error that names the file, or a pull from the start. Nothing elsewhere is touched."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dying import exists, read

from reconcile.errors import MirrorError, OutputError, ReconcileError, Unreachable
from reconcile.payments.bookmarks import Bookmarks, Walk, decode_bookmarks, encode_bookmarks
from reconcile.payments.finished import VANISHED
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.payments.mirror.mirror import open_mirror
from reconcile.sandbox.world.world import World

AT = datetime(2026, 7, 1, tzinfo=UTC)
HOSTILE: list[Any] = [
    *(None, True, -1, 0, 10**30, 1.5, "", "x\x00", "../../etc/passwd", "a,b", [], {}, [None], {"a": 1}),
    *("9999-12-31T23:59:59", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "x" * 100_000),
]
NO_JSON = [b"", b"\xff", b"[" * 100_000, b"null", b"[]", b'{"a":1}', b"\x00" * 100, b" " * 2_000_000]


def marks() -> Bookmarks:
    walks = [
        Walk(1, None, AT, 60, before=60, seen=25, last_id="XAyRWNUzyN"),
        Walk(2, None, AT, 10, before=10, seen=10, done=True, export_id="exp1"),
    ]
    return Bookmarks(
        AT, AT, walks, began_at=AT, base="x", exports_name="reconcile-0123456789ab", refused=("order.market",)
    )


def mutants(document: Any) -> Iterator[Any]:
    """Yield `document` with each of its values replaced by each of the hostile ones."""
    for path in list(_paths(document)):
        for value in HOSTILE:
            mutant = copy.deepcopy(document)
            place = mutant
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            yield mutant


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _paths(inner, (*path, step))


async def broken_off(serve, pull, world: World, mirror: Path) -> None:
    with pytest.raises(Unreachable):
        await pull(serve(world, "5xx:#4+"), mirror=mirror, client={"retry_seconds": 0.5})


def test_bookmarks_are_read_as_they_were_written_or_refused() -> None:
    for mutant in mutants(json.loads(encode_bookmarks(marks()))):
        try:
            found = decode_bookmarks(json.dumps(mutant).encode(), Path("mirror"))
        except MirrorError as error:
            assert error.message.startswith("mirror: ")
        else:
            assert decode_bookmarks(encode_bookmarks(found), Path("mirror")) == found
    for content in NO_JSON:
        with pytest.raises(MirrorError):
            decode_bookmarks(content, Path("mirror"))


@pytest.mark.parametrize("field", ["last_id", "export_id"])
@pytest.mark.parametrize("value", ["", "..", "a/b", "a?b", "a\x00", "a,b"])
def test_what_a_bookmark_says_is_never_part_of_an_address_unless_it_can_be_an_id(field: str, value: str) -> None:
    document = json.loads(encode_bookmarks(marks()))
    document["walks"][1][field] = value

    with pytest.raises(MirrorError):
        decode_bookmarks(json.dumps(document).encode(), Path("mirror"))


async def test_a_pull_with_bookmarks_of_any_kind_goes_on_or_says_so(serve, pull, tmp_path: Path) -> None:
    world = World.generate(60)
    server = serve(world)
    everything = list(mutants(json.loads(encode_bookmarks(marks()))))
    for number, mutant in enumerate(random.Random(1).sample(everything, 60)):
        mirror = tmp_path / f"mirror-{number}"
        with open_mirror(mirror, organization="sandbox", mode="live") as opened:
            opened.unfinished("None|None").commit([], json.dumps(mutant).encode())
        try:
            await pull(server, mirror=mirror)
        except ReconcileError as error:
            assert error.message, mutant


@pytest.mark.parametrize("content", NO_JSON, ids=range(len(NO_JSON)))
@pytest.mark.parametrize("incremental", [False, True])
async def test_bookmarks_that_are_no_json_are_damage(
    serve, pull, tmp_path: Path, content: bytes, incremental: bool
) -> None:
    world = World.generate(60)
    if incremental:
        await pull(serve(world), mirror=tmp_path / "mirror")
    with open_mirror(tmp_path / "mirror", organization="sandbox", mode="live") as opened:
        opened.unfinished("changes|None|None" if incremental else "None|None").commit([], content)

    with pytest.raises(MirrorError, match="this file of the mirror is incomplete or cannot be read") as caught:
        await pull(serve(world), mirror=tmp_path / "mirror", incremental=incremental)

    assert "remove the mirror folder" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [*NO_JSON, b'{"base":"x","ids":"y","done":-5}'], ids=range(len(NO_JSON) + 1))
async def test_a_mark_of_rechecks_that_is_none_is_damage(serve, pull, tmp_path: Path, content: bytes) -> None:
    world = World.generate(60)
    world.update(world.payment_ids()[0], touch=False, mismatched_amounts=True)
    await pull(serve(world), mirror=tmp_path / "mirror")
    with open_mirror(tmp_path / "mirror", organization="sandbox", mode="live") as opened:
        opened.unfinished("by id|None|None").commit([], content)

    with pytest.raises(MirrorError):
        await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)


async def test_a_commit_that_is_damaged_anywhere_is_refused_or_read(serve, pull, tmp_path: Path) -> None:
    world = World.generate(60)
    await broken_off(serve, pull, world, tmp_path / "mirror")
    (file,) = (tmp_path / "mirror").rglob("*.arrow")
    whole, chance = file.read_bytes(), random.Random(1)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        file.write_bytes(content if chance.random() < 0.8 else content[: chance.randrange(len(content))])
        try:
            list(UnfinishedPull(file.parent, durable=False).rows())
        except MirrorError as error:
            assert str(file) in error.message


async def test_a_commit_with_other_columns_is_damage(tmp_path: Path) -> None:
    table = pa.table({"payment_id": ["a"], "walk": ["one"]})
    with pa.ipc.new_file(str(tmp_path / "rows-00000001-00000001.arrow"), table.schema) as writer:
        writer.write_table(table)

    with pytest.raises(MirrorError, match="rows-00000001-00000001"):
        UnfinishedPull(tmp_path, durable=False)


@pytest.mark.parametrize("content", NO_JSON, ids=range(len(NO_JSON)))
async def test_an_identity_that_is_no_json_is_damage(serve, pull, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "mirror.json").write_bytes(content)

    with pytest.raises(MirrorError, match=r"mirror\.json: this file of the mirror is incomplete"):
        await pull(serve(), mirror=tmp_path / "mirror")


def test_an_identity_of_any_kind_is_of_this_mirror_or_refused(tmp_path: Path) -> None:
    with open_mirror(tmp_path, organization="shop", mode="live"):
        path = tmp_path / "mirror.json"
        identity = json.loads(path.read_bytes())
    for mutant in mutants({**identity, "fields": identity["fields"][:2]}):
        path.write_text(json.dumps(mutant))
        with pytest.raises(MirrorError) as caught:
            open_mirror(tmp_path, organization="shop", mode="live")
        assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", ["mirror.json", "finished.json", "vanished.parquet", "payments.parquet", "lock"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
async def test_a_folder_or_a_pipe_in_place_of_a_file_is_told_at_once(
    serve, pull, tmp_path: Path, name: str, kind: str
) -> None:
    world = World.generate(60)
    await pull(serve(world), mirror=tmp_path / "mirror")
    path = tmp_path / "mirror" / name
    path.unlink(missing_ok=True)
    (os.mkdir if kind == "folder" else os.mkfifo)(path)

    try:
        report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)
    except (MirrorError, OutputError) as error:
        assert name in error.message or (isinstance(error, OutputError) and "mirror: the mirror" in error.message)
    else:
        assert name in ("finished.json", "payments.parquet")
        assert "everything was pulled" in report.warnings[0].text


async def test_a_record_of_any_kind_is_believed_or_everything_is_pulled(serve, pull, tmp_path: Path) -> None:
    world = World.generate(60)
    mirror = tmp_path / "mirror"
    await pull(serve(world), mirror=mirror)
    expected, record = read(tmp_path / "payments.parquet"), json.loads((mirror / "finished.json").read_bytes())
    server = serve(world)
    everything = [json.dumps(mutant).encode() for mutant in mutants(record)]
    for content in [*NO_JSON, *random.Random(1).sample(everything, 40)]:
        (mirror / "finished.json").write_bytes(content)

        report = await pull(server, mirror=mirror, incremental=True)

        assert report.payments == 60
        assert read(tmp_path / "payments.parquet") == expected, content[:200]


async def test_payments_with_other_columns_that_the_record_names_are_damage(serve, pull, tmp_path: Path) -> None:
    from hashlib import sha256

    world = World.generate(60)
    mirror = tmp_path / "mirror"
    await pull(serve(world), mirror=mirror)
    pq.write_table(pa.table({"payment_id": [1]}), mirror / "payments.parquet")
    record = json.loads((mirror / "finished.json").read_bytes())
    record["finished"][0]["sha256"] = sha256((mirror / "payments.parquet").read_bytes()).hexdigest()
    (mirror / "finished.json").write_text(json.dumps(record))

    with pytest.raises(MirrorError, match=r"payments\.parquet: cannot be read: it has other columns"):
        await pull(serve(world), mirror=mirror, incremental=True)


@pytest.mark.parametrize(
    "table",
    [pa.table({"payment_id": [1]}), pa.table({"x": ["y"]}), VANISHED.empty_table().select(["payment_id"])],
    ids=["numbers", "others", "too few"],
)
async def test_vanished_payments_that_cannot_be_read_are_told_before_anything_is_pulled(
    serve, pull, tmp_path: Path, table: pa.Table
) -> None:
    world = World.generate(60)
    await pull(serve(world), mirror=tmp_path / "mirror")
    pq.write_table(table, tmp_path / "mirror" / "vanished.parquet")
    server = serve(world)

    with pytest.raises(MirrorError, match=r"vanished\.parquet: cannot be read") as caught:
        await pull(server, mirror=tmp_path / "mirror")
    (tmp_path / "mirror" / "vanished.parquet").unlink()  # as the hint says
    await pull(server, mirror=tmp_path / "mirror")

    assert "remove that file" in (caught.value.hint or "")
    assert [request.path for request in server.requests][:1] == ["/oauth/token"]


@pytest.mark.parametrize("linked", ["unfinished", "unfinished/window"])
async def test_a_folder_that_is_a_link_is_refused_and_nothing_behind_it_is_removed(
    serve, pull, tmp_path: Path, linked: str
) -> None:
    world = World.generate(60)
    await broken_off(serve, pull, world, tmp_path / "mirror")
    (window,) = (tmp_path / "mirror" / "unfinished").iterdir()
    place = window if linked.endswith("window") else window.parent
    outside = tmp_path / "outside"
    place.rename(outside)
    (outside / "precious.new").write_text("kept")
    place.symlink_to(outside, target_is_directory=True)

    with pytest.raises(MirrorError, match="is a symbolic link") as caught:
        await pull(serve(world), mirror=tmp_path / "mirror")

    assert "remove the link" in (caught.value.hint or "")
    assert (outside / "precious.new").read_text() == "kept"
    assert not exists(tmp_path / "payments.parquet")


async def test_a_mirror_may_itself_be_a_link(serve, pull, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mirror").symlink_to(tmp_path / "elsewhere", target_is_directory=True)

    await pull(serve(), mirror=tmp_path / "mirror")

    assert exists(tmp_path / "elsewhere" / "payments.parquet")


async def test_a_lock_that_is_a_link_is_refused(serve, pull, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "lock").symlink_to(tmp_path / "made-by-us")

    with pytest.raises(OutputError):
        await pull(serve(), mirror=tmp_path / "mirror")

    assert not exists(tmp_path / "made-by-us")


def test_only_what_a_pull_has_left_is_removed(tmp_path: Path) -> None:
    ours = ["rows-00000001-00000001.new", "payments-3.json.gz"]
    others = ["notes.txt", "rows.new", "payments.json.gz", "rows-1-1.arrow"]
    for name in (*ours, *others):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()

    UnfinishedPull(tmp_path, durable=False)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "folder"])
