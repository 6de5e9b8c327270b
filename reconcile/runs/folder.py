"""
The folder of runs: a run staged beside its place, published by renames, and found whole by whoever reads it next.

Publishing a date again takes two renames: the former folder goes to `.superseded/<run_id>`, the new one into its place.
A process that is killed between them leaves the new folder complete under its staging name, and no folder of that date.
Every function here that looks for runs first finishes what was left so: a published date is never gone.

Nothing outside the folder of runs is ever removed, and no link in it is followed to remove or replace anything.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from reconcile.errors import FolderBusy, OutputError
from reconcile.files.disk import disk_error, disk_errors, locked, remove_tree, sync
from reconcile.runs.manifest import (
    MANIFEST_NAME,
    FileDigest,
    Link,
    Manifest,
    digest_of,
    is_date,
    manifest_of,
    write_json,
)
from reconcile.runs.run_folder import RunFile, RunFolder

SUPERSEDED = ".superseded"
_STAGING = ".staging"
_UNREADABLE = "incomplete"  # in place of the run id of a replaced folder whose manifest cannot be read

_LONGEST_RENAMES_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Staging:
    """A run folder in the making: write files into `folder`, then `publish`."""

    out: Path
    business_date: date
    folder: Path

    @property
    def run(self) -> RunFolder:
        """The run folder in the making."""
        return RunFolder(self.folder)

    @property
    def place(self) -> Path:
        return self.out / self.business_date.isoformat()

    def outputs(self, rows: dict[str, int]) -> list[FileDigest]:
        """
        See every file in the folder, and in folders in it, safely on disk, and return their digests.

        `rows` gives the row count of each table by file name.
        """
        inside = sorted(self.folder.rglob("*"))
        names = {path: path.relative_to(self.folder).as_posix() for path in inside if path.is_file()}
        for path in inside:
            sync(path)
        return [digest_of(path, name=name, rows=rows.get(name)) for path, name in names.items()]

    def publish(self, manifest: Mapping[str, object], outputs: Sequence[FileDigest]) -> Path:
        """
        Write `manifest.json` with the digests of the files, and put the folder in its place.

        A folder that stood there is kept as `.superseded/<run_id>`. Readers see the old folder, or none for an
        instant, or the whole new one.
        """
        write_json(self.folder / MANIFEST_NAME, {**manifest, "outputs": outputs})
        sync(self.folder)
        kept = _set_aside(self.place, self.out) if _is_there(self.place) else None
        try:
            self.folder.rename(self.place)
        except OSError:
            if kept is not None:
                kept.rename(self.place)
            (self.folder / MANIFEST_NAME).unlink()  # whoever reads next must not publish what was reported as an error
            raise
        sync(self.out)
        return self.place


@contextlib.contextmanager
def staged(out: Path, business_date: date) -> Iterator[Staging]:
    """
    Lock `business_date` in `out` and give an empty folder beside its place; remove it unless published.

    Raises FolderBusy when another process works on the same date, OutputError when `out` cannot be written.
    """
    name = business_date.isoformat()
    with _locked(out, name), disk_errors(out):
        _finish(out, name)
        # Whatever else a killed run left under this name is worthless: it has no manifest, or its date has a run.
        folder = _staging_of(out, name)
        remove_tree(folder, inside=out)
        folder.mkdir()
        try:
            yield Staging(out, business_date, folder)
        finally:
            if not _is_interrupted(out, name):  # else it is all there is of this date
                with contextlib.suppress(OSError):
                    remove_tree(folder, inside=out)


@contextlib.contextmanager
def publishing_lock(out: Path) -> Iterator[None]:
    """Wait until no other run in `out`, of whatever date, is being published, and keep others from it meanwhile."""
    with disk_errors(out), locked(out / ".publishing.lock"):
        yield


def published(out: str | Path) -> list[Path]:
    """
    Return the published run folders in `out`, oldest business date first.

    A publication that was interrupted is finished before. Raises OutputError where that cannot be done.
    """
    out = Path(out)
    if not out.is_dir():
        return []
    for path in sorted(out.glob(f".*{_STAGING}")):
        finish_interrupted(out, path.name.removeprefix(".").removesuffix(_STAGING))
    return sorted(path for path in out.iterdir() if is_date(path.name) and _is_there(path / MANIFEST_NAME))


def finish_interrupted(out: Path, name: str) -> None:
    """
    Put the run of the date `name` into its place, if its process was killed while it was being published.

    While a process is publishing it, wait for that. Raises OutputError when the rename is not allowed here.
    """
    waited_until = time.monotonic() + _LONGEST_RENAMES_SECONDS
    while _is_interrupted(out, name):
        try:
            with locked(_lock_of(out, name), busy=FolderBusy(name)):
                _finish(out, name)
        except FolderBusy:
            if time.monotonic() > waited_until:
                return
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            refused = disk_error(error, out)
            refused.message = f"{out / name}: its publication was interrupted, and cannot be finished: {error.strerror}"
            refused.hint = "run any command as the user who runs the reconciliation: it finishes it"
            raise refused from error


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the run folder `folder`, as `manifest_of`; an interrupted publication is finished."""
    if is_date(folder.name) and not _is_there(folder):
        finish_interrupted(folder.parent, folder.name)
    return manifest_of(folder)


def out_of(folder: Path) -> Path:
    """Return the folder of the runs that the run `folder` is one of, also where it was replaced by a later run."""
    parent = folder.resolve().parent
    return parent.parent if parent.name == SUPERSEDED else parent


def superseded(out: Path) -> list[Path]:
    """Return the run folders in `out` that later runs of their dates have replaced, by run id."""
    return sorted(path.parent for path in (out / SUPERSEDED).glob(f"*/{MANIFEST_NAME}"))


def latest_before(out: Path, business_date: date) -> Path | None:
    """Return the published run folder of the latest date before `business_date`, null when there is none."""
    folders = [path for path in published(out) if path.name < business_date.isoformat()]
    return folders[-1] if folders else None


def link_to(folder: Path) -> Link:
    """Return what a later run says of the run `folder` to be chained to it. Raises OutputError as `manifest_of`."""
    manifest = manifest_of(folder)
    return Link(manifest.business_date, manifest.run_id, manifest.sha256)


@contextlib.contextmanager
def _locked(out: Path, name: str) -> Iterator[None]:
    busy = FolderBusy(
        f"{out / name}: another run of this date is in progress", hint="wait for it, or choose another --out"
    )
    with contextlib.ExitStack() as stack:
        with disk_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(_lock_of(out, name), busy=busy))
        yield


def _finish(out: Path, name: str) -> None:
    """Take the second of the two renames, if a killed process left it out. The date is locked by the caller."""
    if _is_interrupted(out, name):
        _staging_of(out, name).rename(out / name)
        sync(out)


def _is_interrupted(out: Path, name: str) -> bool:
    return _is_there(_staging_of(out, name) / MANIFEST_NAME) and not _is_there(out / name)


def _set_aside(place: Path, out: Path) -> Path:
    """Move the run folder `place` to where replaced runs are kept, and return its new path."""
    folder = out / SUPERSEDED
    if folder.is_symlink():
        raise OSError(errno.ENOTDIR, "is a link, and replaced runs are kept in no other folder", str(folder))
    folder.mkdir(exist_ok=True)
    kept = folder / _name_to_keep(place)
    for number in itertools.count(2):
        if not _is_there(kept):
            break
        if _is_repeated(kept, place):
            remove_tree(kept, inside=out)
            break
        kept = folder / f"{_name_to_keep(place)}-{number}"
    place.rename(kept)
    return kept


def _name_to_keep(place: Path) -> str:
    try:
        return manifest_of(place).run_id
    except OutputError:  # of a folder that was tampered with: kept, as any other
        return f"{_UNREADABLE}-{place.name}"


def _is_repeated(kept: Path, place: Path) -> bool:
    """Whether the run that is kept already has the same items: then it says nothing that the later copy does not."""
    try:
        before, after = (manifest_of(folder).digests.get(RunFile.ITEMS) for folder in (kept, place))
    except OutputError:
        return False
    return before == after


def _staging_of(out: Path, name: str) -> Path:
    return out / f".{name}{_STAGING}"


def _lock_of(out: Path, name: str) -> Path:
    return out / f".{name}.lock"


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
