"""
Files of several tables put in place together, or none of them: what stood there is kept until all of them are.

A load that is killed meanwhile is rolled back by whoever comes next: its stage says by its name where its files go, and
holds those that they replaced.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reconcile.errors import WarehouseError
from reconcile.files.disk import remove_tree, replacing, sync
from reconcile.warehouse.partitions import partitions_in
from reconcile.warehouse.tables import RUNS_NAME, TABLES

PART = "part-0.parquet"


@dataclass(frozen=True, slots=True)
class Swap:
    """
    A finished file, the place it goes to, and where the file that stood there is kept meanwhile.

    Without a finished file nothing takes the place. `partition` is the folder of the place below that of the table.
    """

    finished: Path | None
    place: Path
    former: Path
    partition: str


_FOLDERS = (*(table.folder for table in TABLES), RUNS_NAME)
"""In this order they are put in place."""


JOURNAL = "replaced.json"
"""In a stage whose files are being put in place: the folders of those that have no former file to put back."""


def swaps_in(stage: Path) -> list[Swap]:
    """Return the files of the load in `stage`, in the order in which they are put in place."""
    found = partitions_in(stage.name)
    assert found is not None, "it has been made, or found, by its name"
    own, others = found
    swaps = []
    for name in _FOLDERS:
        table = stage.parent / name
        swaps += [
            Swap(None, table / other / PART, stage / f"{name}.former-{number}", other)
            for number, other in enumerate(others)
        ]
        swaps.append(Swap(stage / name, table / own / PART, stage / f"{name}.former", own))
    return swaps


def take_back(stage: Path) -> None:
    """Put back what a load that was killed in `stage` had replaced, if it came so far, and empty the folder."""
    journal = stage / JOURNAL
    if journal.exists():
        fresh = msgspec.json.decode(journal.read_bytes(), type=list[str])
        for swap in reversed(swaps_in(stage)):
            _put_back(swap, fresh)
        journal.unlink()
    for path in stage.iterdir():
        remove_tree(path, inside=stage)


def put_in_place(swaps: list[Swap], journal: Path) -> None:
    for swap in swaps:
        if swap.finished is not None:
            swap.place.parent.mkdir(parents=True, exist_ok=True)
        if swap.place.exists():
            _keep(swap.place, swap.former)
    fresh = [swap.finished.name for swap in swaps if swap.finished is not None and not swap.former.exists()]
    with replacing(journal) as partial:
        partial.write_bytes(msgspec.json.encode(fresh))
    sync(journal.parent)
    try:
        for swap in swaps:
            if swap.finished is not None:
                swap.finished.replace(swap.place)
            else:
                swap.place.unlink(missing_ok=True)
        for folder in dict.fromkeys(folder for swap in swaps for folder in _above(swap) if folder.is_dir()):
            sync(folder)
    except BaseException as error:
        _put_all_back(swaps, fresh, error)
        journal.unlink()
        raise
    journal.unlink()  # from here on the load is done: it is not rolled back
    for swap in swaps:
        if swap.finished is None:
            with contextlib.suppress(OSError):  # others are in it
                for folder in _above(swap)[:-1]:
                    folder.rmdir()


def _above(swap: Swap) -> list[Path]:
    """Return the folders that the place is in, up to that of its table."""
    return list(swap.place.parents[: len(Path(swap.partition).parts) + 1])


def _put_all_back(swaps: list[Swap], fresh: list[str], cause: BaseException) -> None:
    try:
        for swap in reversed(swaps):
            _put_back(swap, fresh)
    except OSError as error:
        raise WarehouseError(
            f"{swap.place}: the load failed ({cause}) and could not be rolled back ({error.strerror})",
            hint="tables of this scope may mix two runs, see their run_id: load again, which rolls this back first",
        ) from cause


def _put_back(swap: Swap, fresh: list[str]) -> None:
    if swap.former.exists():
        swap.former.replace(swap.place)
    elif swap.finished is not None and swap.finished.name in fresh:
        swap.place.unlink(missing_ok=True)


def _keep(place: Path, former: Path) -> None:
    try:
        former.hardlink_to(place)
    except OSError:  # some network file systems have no hard links
        shutil.copyfile(place, former)
        sync(former)
