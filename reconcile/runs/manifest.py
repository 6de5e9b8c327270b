"""
`manifest.json`: what a run folder says of itself, read with every field checked; and the digests it is made of.

Whatever a manifest says comes from a file that anyone may have written. Its run id, its dates and the names of its
files become parts of paths: each has a form that is checked here, once, so that none of them leads out of its folder.
"""

from __future__ import annotations

import functools
import hashlib
import platform
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec

from reconcile.errors import OutputError
from reconcile.files.disk import replacing, sha256_of
from reconcile.runs.run_folder import RunFile
from reconcile.version import __version__

MANIFEST_NAME = RunFile.MANIFEST

RunId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z][0-9A-Za-z_-]{0,79}\Z")]
"""A run's id. It names the folder in which a replaced run is kept: no dot, no slash, never empty."""

Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]

_AS_PUBLISHED = "restore the file as it was published, or move its folder away and run the date again"


class FileDigest(msgspec.Struct, frozen=True):
    """
    One file of a run folder, or one input: name, SHA-256 in hex, size in bytes, rows where it is a table.

    Of a file read from a manifest the name is a plain path below the run folder, with `/` between its parts.
    """

    path: str
    sha256: Sha256
    bytes: int
    rows: int | None = None


class Output(FileDigest, frozen=True):
    """A file of a run folder, as its manifest names it."""

    def __post_init__(self) -> None:
        if not is_plain_name(self.path):
            raise ValueError(f"{self.path!r} is not the name of a file in this folder")


class InputFile(msgspec.Struct, frozen=True):
    """A file of order totals that a run was made of: its name as given, its SHA-256, the rows that became orders."""

    path: str
    sha256: Sha256
    rows: Annotated[int, msgspec.Meta(ge=0)]


class _Inputs(msgspec.Struct, frozen=True):
    files: tuple[InputFile, ...]


class Link(msgspec.Struct, frozen=True):
    """The run before: its business date, its id, and the SHA-256 of its manifest, which chains the runs."""

    business_date: date
    run_id: RunId
    manifest_sha256: Sha256


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one run brought to the order book: date, id, SHA-256 of the rows; with `is_full` a whole order side."""

    business_date: date
    run_id: RunId
    sha256: Sha256
    is_full: bool = False


class BookRecord(msgspec.Struct, frozen=True):
    """Of what deliveries the order book of a run is made, oldest first."""

    deliveries: Annotated[tuple[Delivery, ...], msgspec.Meta(min_length=1)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the rooms that read run folders need of a manifest; `document` is all of it, for those who show it.

    `sha256` is the digest of the file as it was read.

    previous        the latest run of an earlier date when this one was made, null when there was none
    runs_meanwhile  earlier dates that were published while it was made, which it does not count in
    later_runs      later dates that had been published already, which do not count it in
    order_book      the deliveries that its order side is made of, null where its files are the whole order side
    records         files beside the runs that only grow, as far as they went when it was made
    """

    business_date: date
    run_id: RunId
    outputs: tuple[Output, ...]
    previous: Link | None = None
    runs_meanwhile: tuple[date, ...] = ()
    later_runs: tuple[date, ...] = ()
    records: tuple[Output, ...] = ()
    order_book: BookRecord | None = None
    organization: str | None = None
    mode: str | None = None
    created_at: datetime | None = None
    settings: dict[str, Any] = {}
    software: dict[str, str] = {}
    document: dict[str, Any] = {}
    sha256: str = ""

    @property
    def digests(self) -> dict[str, Output]:
        """The files of the folder by name."""
        return {output.path: output for output in self.outputs}

    @property
    def order_files(self) -> tuple[InputFile, ...]:
        """The files of order totals; none where the manifest does not say so in the form of today."""
        try:
            return msgspec.convert(self.document.get("inputs"), _Inputs).files
        except msgspec.ValidationError:
            return ()


def digest_of(path: Path, *, name: str | None = None, rows: int | None = None) -> FileDigest:
    """Read `path` once and return its digest; `name` stands in for the path in the manifest."""
    return FileDigest(name or str(path), sha256_of(path), path.stat().st_size, rows)


def digest_of_text(*texts: str) -> str:
    """Return one SHA-256 in hex over several strings, none of which can run into the next."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def manifest_of(folder: Path) -> Manifest:
    """
    Return `manifest.json` of the run folder `folder`.

    Raises OutputError when there is none (the folder is not a run folder, or was never completed), when a field is not
    of its form, or when the folder has the name of another date.
    """
    path = folder / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(
            f"{folder}: is not a run folder, it has no {MANIFEST_NAME}",
            hint="name a folder that `reconcile run` has written",
        ) from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}", hint=_AS_PUBLISHED) from error
    try:
        document = msgspec.json.decode(content)
        manifest = msgspec.convert(document, Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OutputError(f"{path}: is not the manifest of a run: {error}", hint=_AS_PUBLISHED) from error
    name = folder.absolute().name
    if is_date(name) and name != manifest.business_date.isoformat():
        raise OutputError(
            f"{folder}: holds the run of {manifest.business_date}: the folder was renamed or copied",
            hint=f"rename it to {manifest.business_date}, or move it away and run {name} again",
        )
    return msgspec.structs.replace(manifest, document=document, sha256=hashlib.sha256(content).hexdigest())


def is_date(name: str) -> bool:
    """Return whether `name` is a business date as run folders are named: 2026-11-20."""
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def is_plain_name(text: str) -> bool:
    """Return whether `text` names a file below a folder and nothing else: no way up, no root, nothing unprintable."""
    parts = text.split("/")
    return PurePosixPath(text).as_posix() == text and text.isprintable() and not {"", ".", ".."} & set(parts)


def software() -> dict[str, str]:
    """Return the versions of everything that can change a result."""
    return {"reconcile": __version__, "python": platform.python_version(), **_packages()}


def other_software(manifest: Manifest) -> str:
    """Return the names of the software that has another version now than when the run was made, in words."""
    return ", ".join(name for name, version in software().items() if manifest.software.get(name) != version)


@functools.cache  # read from a file for each package, and what a process has loaded stays as it is
def _packages() -> dict[str, str]:
    packages = ("aiohttp", "duckdb", "jinja2", "narwhals", "pandas", "pyarrow", "xlsxwriter")
    return {
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
