"""
The run folder: staged beside its place, proved by digests, published by one rename.

Knows folders, locks, digests and `manifest.json`, and nothing of what the files mean. A folder without a
manifest is not a run folder: the manifest is the last file written.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import msgspec

from reconcile import __version__
from reconcile.disk import disk_errors, locked, replacing, sync
from reconcile.errors import FolderBusy, OutputError

NAME = "manifest.json"
SUPERSEDED = ".superseded"
_ALWAYS = ("business_date", "run_id", "outputs")


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of a run folder, or one input: name, SHA-256 in hex, size in bytes, rows where it is a table."""

    path: str
    sha256: str
    bytes: int
    rows: int | None = None


def digest_of(path: Path, *, name: str | None = None, rows: int | None = None) -> FileDigest:
    """Read `path` once and return its digest; `name` stands in for the path in the manifest."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileDigest(name or str(path), sha256, path.stat().st_size, rows)


def digest_of_text(*texts: str) -> str:
    """Return one SHA-256 in hex over several texts, none of which can run into the next."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Staging:
    """A run folder in the making: write files into `folder`, then `publish`."""

    out: Path
    business_date: date
    folder: Path

    @property
    def place(self) -> Path:
        return self.out / self.business_date.isoformat()

    def publish(self, manifest: dict[str, Any], *, rows: dict[str, int]) -> Path:
        """
        Write `manifest.json` with the digest of every file, in folders too, and put the folder in its place.

        `rows` gives the row count of each table by file name. A folder that stood there is kept as
        `.superseded/<run_id>`. Readers see the old folder, or none for an instant, or the whole new one.
        """
        inside = sorted(self.folder.rglob("*"))
        names = {path: path.relative_to(self.folder).as_posix() for path in inside if path.is_file()}
        outputs = [asdict(digest_of(path, name=name, rows=rows.get(name))) for path, name in names.items()]
        for path in inside:
            sync(path)
        write_json(self.folder / NAME, {**manifest, "outputs": outputs})
        sync(self.folder)
        kept = _set_aside(self.place, self.out / SUPERSEDED) if self.place.exists() else None
        try:
            self.folder.rename(self.place)
        except OSError:
            if kept is not None:
                kept.rename(self.place)
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
        # Whatever a killed run left under this name is worthless: it has no manifest.
        folder = out / f".{name}.staging"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield Staging(out, business_date, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """
    Return `manifest.json` of a published run folder.

    Raises OutputError when there is none: the folder is not a run folder, or was never completed.
    """
    try:
        manifest: dict[str, Any] = msgspec.json.decode((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise OutputError(
            f"{folder}: is not a run folder, it has no {NAME}", hint="name a folder that `reconcile run` has written"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise OutputError(f"{folder / NAME}: cannot be read: {error}") from error
    if not isinstance(manifest, dict) or any(name not in manifest for name in _ALWAYS):
        raise OutputError(
            f"{folder / NAME}: is not the manifest of a run: it must have {', '.join(_ALWAYS)}",
            hint="put the file back as it was published, or move its folder away and run the date again",
        )
    return manifest


def altered_files(folder: Path) -> list[str]:
    """Return a sentence for each file of a run folder that is gone or no longer has its recorded digest."""
    problems = []
    for output in read_manifest(folder)["outputs"]:
        path = folder / output["path"]
        if not path.is_file():
            problems.append(f"{output['path']} is missing")
        elif digest_of(path).sha256 != output["sha256"]:
            problems.append(f"{output['path']} was changed since it was published")
    return problems


def published(out: str | Path) -> list[Path]:
    """Return the published run folders in `out`, oldest business date first."""
    out = Path(out)
    if not out.is_dir():
        return []
    return sorted(path for path in out.iterdir() if _is_date(path.name) and (path / NAME).is_file())


def out_of(folder: Path) -> Path:
    """Return the folder of the runs that the run `folder` is one of, also where it was replaced by a later run."""
    parent = folder.resolve().parent
    return parent.parent if parent.name == SUPERSEDED else parent


def latest_before(out: Path, business_date: date) -> Path | None:
    """Return the published run folder of the latest date before `business_date`, null when there is none."""
    folders = [path for path in published(out) if path.name < business_date.isoformat()]
    return folders[-1] if folders else None


def link_to_previous(out: Path, business_date: date) -> dict[str, str] | None:
    """Return date, run id and manifest digest of the run before, which chains the runs; null for the first."""
    folder = latest_before(out, business_date)
    if folder is None:
        return None
    digest = digest_of(folder / NAME).sha256
    return {"business_date": folder.name, "run_id": read_manifest(folder)["run_id"], "manifest_sha256": digest}


def software() -> dict[str, str]:
    """Return the versions of everything that can change a result."""
    packages = ("aiohttp", "duckdb", "jinja2", "narwhals", "pandas", "pyarrow", "xlsxwriter")
    return {
        "reconcile": __version__,
        "python": platform.python_version(),
        **{package: version_of(package) for package in packages},
        **_version_if_there("babel"),  # what a page looks like in a locale
    }


def _version_if_there(package: str) -> dict[str, str]:
    try:
        return {package: version_of(package)}
    except PackageNotFoundError:
        return {}


def write_json(path: Path, document: Any) -> None:
    """Write `document` as indented UTF-8 JSON, durably, under a temporary name first."""
    with replacing(path) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


@contextlib.contextmanager
def _locked(out: Path, name: str) -> Iterator[None]:
    busy = FolderBusy(
        f"{out / name}: another run of this date is under way", hint="wait for it, or choose another --out"
    )
    with contextlib.ExitStack() as stack:
        with disk_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(out / f".{name}.lock", busy=busy))
        yield


def _set_aside(place: Path, superseded: Path) -> Path:
    try:
        run_id = str(read_manifest(place)["run_id"])
    except OutputError:  # of a folder that was tampered with: kept, as any other
        run_id = "incomplete"
    superseded.mkdir(exist_ok=True)
    kept = superseded / run_id
    # The same run id means the same inputs and settings: the earlier copy says nothing that this one does not.
    shutil.rmtree(kept, ignore_errors=True)
    place.rename(kept)
    return kept


def _is_date(name: str) -> bool:
    try:
        return len(name) == 10 and bool(date.fromisoformat(name))
    except ValueError:
        return False
