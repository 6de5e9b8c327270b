"""
The records beside the runs, to which lines are only added: which there are, how far they go, how lines are chained.

A chained record is JSON Lines. Each line has the SHA-256 of the line before it (`previous_sha256`), so that none can be
changed or removed without a trace. A process that is killed while it writes leaves the beginning of a line, which stays
there: the next line is chained to it like to any other. What a line says is known to whoever writes it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from reconcile.errors import FolderBusy, OutputError
from reconcile.files.disk import append, disk_errors, locked
from reconcile.runs.manifest import FileDigest

ACCEPTANCES_NAME = "acceptances.csv"
REFRESHES_NAME = "refreshes.jsonl"

_RECORDS = (ACCEPTANCES_NAME, REFRESHES_NAME)
_CHAINED = (REFRESHES_NAME,)


class _Link(msgspec.Struct, frozen=True):
    previous_sha256: str | None


class Chain:
    """A chained record that nobody else adds to meanwhile: its whole lines, oldest first, and how one is added."""

    def __init__(self, path: Path) -> None:
        content = _content(path)
        self._path = path
        self._is_cut = bool(content) and not content.endswith(b"\n")
        self._last = _digest_of(last) if (last := (_lines(content) or [b""])[-1]) else None

    def add(self, line: msgspec.Struct) -> None:
        """Add what `line` holds, and see it safely on disk. Raises OutputError; the line is then not there."""
        document = {**msgspec.to_builtins(line), "previous_sha256": self._last}
        text = msgspec.json.encode(document)
        with disk_errors(self._path):
            append(self._path, (b"\n" if self._is_cut else b"") + text + b"\n")
        self._is_cut, self._last = False, _digest_of(text)


@contextlib.contextmanager
def chain(path: Path, busy: str) -> Iterator[Chain]:
    """Give the chained record at `path`, which is this process's alone, else raise FolderBusy, which says `busy`."""
    is_busy = FolderBusy(f"{path}: {busy}", hint="wait for it, and run the same command again")
    with contextlib.ExitStack() as stack:
        with disk_errors(path):
            stack.enter_context(locked(path.with_name(f".{path.name}.lock"), busy=is_busy))
        yield Chain(path)


def whole_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """
    Yield the lines of a chained record that were written to their end, as plain values with their numbers from 1.

    Raises OutputError when the file cannot be read.
    """
    for number, line in enumerate(_lines(_content(path)), start=1):
        with contextlib.suppress(msgspec.DecodeError):
            yield number, msgspec.json.decode(line)


def records_in(out: Path) -> list[FileDigest]:
    """Return how far the records in `out` go by now, as the manifest of a run says it."""
    contents = {name: (out / name).read_bytes() for name in _RECORDS if (out / name).is_file()}
    return [FileDigest(name, _digest_of(content), len(content)) for name, content in contents.items()]


def broken_records(out: Path) -> Iterator[str]:
    """Yield a sentence for each chained record in `out` whose chain is broken, or that cannot be read."""
    for name in _CHAINED:
        lines = _lines(_content(out / name))
        for number, (before, line) in enumerate(zip([None, *lines], lines, strict=False), start=1):
            if not _is_linked(line, before):
                yield f"{name}:{number}: is not chained to the line before it: a line was changed, added or removed"
                break


def _is_linked(line: bytes, before: bytes | None) -> bool:
    try:
        link = msgspec.json.decode(line, type=_Link)
    except msgspec.ValidationError:
        return False
    except msgspec.DecodeError:  # the beginning of a line: the next one vouches for it, if there is one
        return True
    return link.previous_sha256 == (None if before is None else _digest_of(before))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}", hint="it is a file of JSON lines") from error


def _lines(content: bytes) -> list[bytes]:
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
