"""
Are published runs still what was published?

Every file is compared with its digest, each run with the one before it (whose manifest it names by its digest, so that
the runs of a folder are a chain: who alters an earlier one breaks it), and the records that only grow with what they
were when the run was made. Reads files as bytes; what they say is for others to compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconcile.errors import OutputError
from reconcile.runs.folder import SUPERSEDED, out_of, published, read_manifest, superseded
from reconcile.runs.manifest import MANIFEST_NAME, FileDigest, Link, Manifest, digest_of, is_date
from reconcile.runs.records import broken_records


@dataclass(frozen=True, slots=True)
class Verification:
    """
    What was found of one run: `problems` say that it is not what was published, `notes` what else to know.

    `replayed` says that it was also matched again. `run_id` is empty where the manifest cannot be read.
    """

    folder: str
    run_id: str
    files: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    replayed: bool = False


def verify_runs(out: Path) -> list[Verification]:
    """
    Verify every run in `out`, oldest date first, and after them those that were replaced.

    A date whose folder has no manifest is reported as not a run. Raises OutputError when `out` is no folder.
    """
    check_out(out)
    runs = _manifests(out)
    found = [_verified(folder, runs) for folder in runs]
    found += [_verified(folder, runs) for folder in superseded(out)]
    bare = sorted(path for path in out.iterdir() if is_date(path.name) and path.is_dir() and path not in runs)
    return found + [
        Verification(str(path), "", 0, (f"has no {MANIFEST_NAME}: it is not a run, or no longer one",)) for path in bare
    ]


def verify_run(folder: Path) -> Verification:
    """Do for one run folder what `verify_runs` does for all. Raises OutputError when it is no run folder."""
    read_manifest(folder)
    return _verified(folder, _manifests(out_of(folder)))


def check_out(out: Path) -> None:
    """Raise OutputError when there is no folder `out`."""
    if not out.is_dir():
        raise OutputError(f"{out}: there is no such folder", hint="name the folder of the runs with --out")


def unvouched(out: Path) -> list[Path]:
    """Return the published runs in `out` whose manifest no later run names: their own digests are all there is."""
    runs = _manifests(out)
    named = {one.previous.manifest_sha256 for one in runs.values() if one is not None and one.previous is not None}
    return [folder for folder, one in runs.items() if one is not None and one.sha256 not in named]


def _manifests(out: Path) -> dict[Path, Manifest | None]:
    """The published runs, oldest first, with their manifests: null where it cannot be read."""
    return {folder: _manifest_or_none(folder) for folder in published(out)}


def _manifest_or_none(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except OutputError:
        return None


def _verified(folder: Path, runs: Mapping[Path, Manifest | None]) -> Verification:
    try:
        manifest = read_manifest(folder)
    except OutputError as error:
        return Verification(str(folder), "", 0, (error.message,))
    broken, notes = _chain(folder, manifest, runs)
    problems = [*altered_files(folder), *_strangers(folder, manifest), *broken, *_rewritten(folder, manifest)]
    if runs and folder.resolve() == [*runs][-1].resolve():  # once for all runs, also of lines that came after them
        problems += broken_records(out_of(folder))
    if folder.is_symlink():
        notes.append("is a link to another folder")
    return Verification(str(folder), manifest.run_id, len(manifest.outputs) + 1, tuple(problems), tuple(notes))


def altered_files(folder: Path) -> list[str]:
    """Return a sentence for each file of a run folder that is gone or no longer has its recorded digest."""
    problems = []
    for output in read_manifest(folder).outputs:
        path = folder / output.path
        if _has_link(folder, output.path):
            problems.append(f"{output.path} is a link, and not the file that was published")
        elif not path.is_file():
            problems.append(f"{output.path} is missing")
        elif digest_of(path).sha256 != output.sha256:
            problems.append(f"{output.path} was changed since it was published")
    return problems


def _has_link(folder: Path, name: str) -> bool:
    """Whether the file, or a folder on the way to it, is a link."""
    parts = name.split("/")
    return any((folder / Path(*parts[: number + 1])).is_symlink() for number in range(len(parts)))


def _strangers(folder: Path, manifest: Manifest) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or not path.is_dir()) and name not in manifest.digests and name != MANIFEST_NAME:
            yield f"{name} is not in the manifest"
    if (folder / MANIFEST_NAME).is_symlink():
        yield f"{MANIFEST_NAME} is a link, and not the file that was published"


def _chain(folder: Path, own: Manifest, runs: Mapping[Path, Manifest | None]) -> tuple[list[str], list[str]]:
    """What is wrong with the link to the run before, and what is only to be known of it."""
    out, date = out_of(folder), own.business_date.isoformat()
    earlier = [path for path in runs if path.name < date]
    broken, note = _link(out, own.previous) if own.previous is not None else ("", "")
    problems, notes = [one for one in (broken,) if one], [one for one in (note,) if one]
    if not earlier or (own.previous is not None and own.previous.business_date.isoformat() >= earlier[-1].name):
        return problems, notes
    between = earlier[-1].name
    if _came_later(runs[earlier[-1]], own):
        notes.append(f"the run of {between} was published after this one was made: run this date again")
    elif own.previous is None:
        problems.append(f"names no previous run, although that of {between} exists: the chain is broken")
    else:
        problems.append(f"was made after the run of {own.previous.business_date}, although that of {between} exists")
    return problems, notes


def _came_later(earlier: Manifest | None, own: Manifest) -> bool:
    """Whether the run of an earlier date was published only after, or while, the run `own` was made."""
    if earlier is None:
        return False
    if own.business_date in earlier.later_runs or earlier.business_date in own.runs_meanwhile:
        return True
    return earlier.created_at is not None and own.created_at is not None and earlier.created_at > own.created_at


def _link(out: Path, link: Link) -> tuple[str, str]:
    folder = out / link.business_date.isoformat()
    if _is_linked(folder, link):
        return "", ""
    kept = (out / SUPERSEDED).glob(f"{link.run_id}*")
    if any(_is_linked(replaced, link) for replaced in kept):
        return "", f"the run of {link.business_date} was replaced after this one was made: run this date again"
    if not folder.is_dir():
        return f"the previous run, {link.business_date} ({link.run_id}), is gone", ""
    return f"the previous run, {link.business_date}, is not the one it was made after ({link.run_id})", ""


def _is_linked(folder: Path, link: Link) -> bool:
    path = folder / MANIFEST_NAME
    return path.is_file() and digest_of(path).sha256 == link.manifest_sha256


def _rewritten(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Sentences about the records beside the runs that no longer begin as they were when this run was made."""
    for record in manifest.records:
        if not _begins_as(out_of(folder) / record.path, record):
            yield f"{record.path} was changed since this run was made: lines may only be added to it"


def _begins_as(path: Path, record: FileDigest) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(record.bytes)).hexdigest() == record.sha256
    except OSError:
        return False
