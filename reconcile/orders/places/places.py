"""
The places order files are named by: paths, patterns, folders, `-` for standard input, and addresses.

Knows which files a word means, and brings each of them to this machine, one at a time, when its turn comes: what is
not a local file lies in a temporary folder while it is read. Does not know what stands inside a file.
"""

from __future__ import annotations

import errno
import stat
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconcile.errors import OrderFileError, SettingsError
from reconcile.files.disk import disk_errors
from reconcile.orders.places.addresses import is_address, parse_address, printable
from reconcile.orders.places.file_kinds import kind_of_content, kind_of_file
from reconcile.orders.places.folders import parts_of
from reconcile.orders.places.patterns import files_below, is_pattern, matching_paths
from reconcile.orders.places.sources import OrderSource, copy_pieces, unreadable

STANDARD_INPUT = "-"

Bring = Callable[[Path, int], None]
"""Writes the whole file to a path; raises OrderFileError when it cannot, or when it is larger than so many bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file that is meant: its name, and either its `path` here or how to `bring` it; see OrderSource for the rest."""

    name: str
    path: Path | None = None
    bring: Bring | None = None
    partitions: Mapping[str, str | None] = field(default_factory=dict)
    folder: str | None = None


def find_places(paths: str | Path | Sequence[str | Path | Place], formats: Sequence[str]) -> list[Place]:
    """
    Return the files that `paths` mean, in the order given, those of one pattern or folder by name.

    A Place among them means itself: a file here that goes by another name. `formats` are the suffixes that can be read.
    Raises OrderFileError when a file or a match is missing, is not a regular file, has another suffix, or is meant
    twice (its rows would be counted twice, and no row could say which of two files it is from).
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    seen: set[str | tuple[int, int]] = set()
    places: list[Place] = []
    for place in (found for one in given for found in _expanded(one, formats)):
        identities: set[str | tuple[int, int]] = {place.name}
        if place.path is not None:
            kind_of_file(place.path, name=place.name, formats=formats)
            identities.add(_inode(place.path))  # the same through a link, be it a symbolic or a hard one
        if not seen.isdisjoint(identities):
            raise _twice(place)
        seen |= identities
        places.append(place)
    if not places:
        raise OrderFileError("no order file is named", path="orders", hint="name at least one file")
    return places


def refuse_overwriting(places: Sequence[Place], outputs: Sequence[Path]) -> None:
    """Raise SettingsError when one of `outputs` is one of the files of `places`, or another output."""
    inputs = {_inode(place.path) for place in places if place.path is not None}
    for at, output in enumerate(outputs):
        if output in outputs[:at] or (output.exists() and _inode(output) in inputs):
            raise SettingsError(
                f"{output}: writing there would overwrite a file that is needed", hint="name another file"
            )


def brought(places: Sequence[Place], formats: Sequence[str], *, limit_bytes: int) -> Generator[OrderSource]:
    """
    Yield each of `places` as a file on this machine; a fetched one lasts until the next is requested, or the end.

    Raises OrderFileError when a file cannot be fetched, is larger than `limit_bytes` or cannot be read here, and
    OutputError when there is no room for it.
    """
    for place in places:
        if place.path is not None:
            kind = kind_of_file(place.path, name=place.name, formats=formats)
            yield OrderSource(
                place.path, kind.suffix, kind.packing, place.name, partitions=place.partitions, folder=place.folder
            )
            continue
        assert place.bring is not None, "a place is here, or can be fetched"
        with tempfile.TemporaryDirectory(prefix="reconcile-orders-") as folder:
            path = Path(folder) / "orders"
            with disk_errors(path):
                place.bring(path, limit_bytes)
            kind = kind_of_content(path, name=place.name, formats=formats)
            yield OrderSource(
                path, kind.suffix, kind.packing, place.name, partitions=place.partitions, folder=place.folder
            )


def _expanded(word: str | Path | Place, formats: Sequence[str]) -> Iterator[Place]:
    if isinstance(word, Place):
        yield word
    elif isinstance(word, str) and not word.strip():  # as a path it would be the folder where we are
        raise OrderFileError(
            "the name of an order file is empty",
            path="orders",
            hint="name a file; a variable in the command may be empty",
        )
    elif word == STANDARD_INPUT:
        yield Place(STANDARD_INPUT, bring=_bring_standard_input)
    elif isinstance(word, str) and is_address(word):
        yield from _at_address(word, formats)
    else:
        yield from _local(Path(word), formats)


def _at_address(word: str, formats: Sequence[str]) -> Iterator[Place]:
    address = parse_address(word)
    if address.scheme in ("http", "https"):
        from reconcile.orders.places.web import fetch_file  # with it come TLS and HTTP, which local files do without

        yield Place(address.name, bring=lambda path, limit: fetch_file(address, path, limit_bytes=limit))
        return
    from reconcile.orders.places.buckets import objects_at  # as above: the stores' clients

    for found in objects_at(address, formats):
        yield Place(found.name, bring=found.bring, partitions=found.partitions, folder=found.folder)


def _local(path: Path, formats: Sequence[str]) -> Iterator[Place]:
    mode = _mode(path)
    if mode is None and is_pattern(str(path)):
        yield from _matches(path)
    elif mode is not None and stat.S_ISDIR(mode):
        yield from _in_folder(path, formats)
    else:
        yield _regular(path, mode)


def _matches(pattern: Path) -> Iterator[Place]:
    try:
        found = matching_paths(str(pattern))
    except OSError as error:
        raise unreadable(_called(pattern), error) from error
    if not found:
        raise OrderFileError(
            "no file matches this pattern",
            path=_called(pattern),
            hint="check the folder, and quote the pattern for the shell",
        )
    for path in found:
        yield _regular(path, _mode(path))


def _in_folder(folder: Path, formats: Sequence[str]) -> Iterator[Place]:
    try:
        names = list(files_below(folder))
    except OSError as error:
        raise unreadable(_called(folder), error) from error
    for name in names:
        if (folder / name).is_dir():
            raise OrderFileError(
                "links to folders inside a folder are not followed",
                path=_called(folder / name),
                hint="name that folder too",
            )
    called = _called(folder)
    for part in parts_of(names, folder=called, formats=formats):
        path = folder / part.name
        place = _regular(path, _mode(path))
        yield Place(place.name, path=path, partitions=part.partitions, folder=called)


def _inode(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(_called(path), error) from error
    return found.st_dev, found.st_ino


def _called(path: Path) -> str:
    return printable(str(path))


def _mode(path: Path) -> int | None:
    """Return the mode of what is at `path`, links followed, None when there is nothing."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            return None
        raise unreadable(_called(path), error) from error


def _regular(path: Path, mode: int | None) -> Place:
    name = _called(path)
    if mode is None:
        problem = "this is a link that leads to no file" if _is_link(path) else "there is no such file"
        raise OrderFileError(problem, path=name, hint="check the path; it is relative to the working directory")
    if stat.S_ISDIR(mode):
        raise OrderFileError("this is a folder, not a file", path=name, hint=f'name the files in it, e.g. "{name}/*"')
    if not stat.S_ISREG(mode):
        raise OrderFileError("this is not a regular file", path=name, hint="save it to a file first")
    return Place(name, path=path)


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except (OSError, ValueError):
        return False


def _twice(place: Place) -> OrderFileError:
    hint = "its rows would be counted twice: name it once"
    if place.path is None and place.name.startswith("http"):
        hint += '; addresses that differ only after "?" cannot be distinguished: fetch those to files'
    return OrderFileError("the file is given twice", path=place.name, hint=hint)


def _bring_standard_input(destination: Path, limit_bytes: int) -> None:
    """Write all of standard input to `destination`; raises OrderFileError when it is a terminal or too large."""
    if sys.stdin is None or sys.stdin.isatty():
        raise OrderFileError(
            "nothing is piped into standard input", path="-", hint="pipe a file into the command, or name the file"
        )
    with destination.open("wb") as file:
        copy_pieces(_StandardInput(), file, name="-", limit_bytes=limit_bytes)


class _StandardInput:
    def read(self, size: int = -1) -> bytes:
        try:
            return sys.stdin.buffer.read(size)
        except OSError as error:
            raise unreadable("-", error) from error
