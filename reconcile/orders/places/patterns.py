"""
Patterns of names: `*`, `?` and `[…]` inside a name, `**` for any number of folders; for files here and for listings.

Never follows a link to a folder under `**`: links that lead back up would never end. Names that begin with a point
match only where the pattern says so. Opens no file.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

_MARKS = frozenset("*?[")
_ANY_DEPTH = "**"


def is_pattern(text: str) -> bool:
    """Return whether `text` has a character that stands for others."""
    return not _MARKS.isdisjoint(text)


def matching_paths(pattern: str) -> list[Path]:
    """Return what matches `pattern` here, by name, folders left out; raises OSError when a folder cannot be read."""
    parts = Path(pattern).parts
    if _ANY_DEPTH not in parts:
        found = [Path(match) for match in glob.glob(pattern)]  # noqa: PTH207  (keeps paths as given)
        return sorted(match for match in found if not match.is_dir())
    at = parts.index(_ANY_DEPTH)
    head = str(Path(*parts[:at])) if at else "."
    roots = glob.glob(head) if is_pattern(head) else [head]  # noqa: PTH207  (as above)
    return sorted({Path(root) / name for root in roots for name in _below(root) if matches(name, parts[at:])})


def matches(name: str, pattern: Sequence[str]) -> bool:
    """Return whether `name`, its parts parted by "/", is one of those that the parts of `pattern` stand for."""
    reached = _and_further({0}, pattern)
    for part in name.split("/"):
        reached = _and_further(set(_after(part, reached, pattern)), pattern)
    return len(pattern) in reached


def files_below(folder: str | Path) -> Iterator[str]:
    """
    Yield the names of all files below `folder`, parted by "/", in order; links to folders are yielded as they are.

    Raises OSError when a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders.sort()
        here = PurePath(place).relative_to(folder)
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        yield from (str(here / name) for name in sorted([*files, *links]))


def _below(root: str) -> Iterator[str]:
    if not Path(root).is_dir():
        return
    for name in files_below(root):
        if not (Path(root) / name).is_dir():
            yield name


def _after(part: str, reached: set[int], pattern: Sequence[str]) -> Iterator[int]:
    for at in reached:
        if at == len(pattern):
            continue
        wanted = pattern[at]
        if part.startswith(".") and not wanted.startswith("."):
            continue
        if wanted == _ANY_DEPTH:
            yield at
        elif fnmatchcase(part, wanted):
            yield at + 1


def _and_further(reached: set[int], pattern: Sequence[str]) -> set[int]:
    """Return `reached` with the places behind each `**`, which may stand for no folder at all."""
    further = set(reached)
    for at in sorted(reached):
        while at < len(pattern) and pattern[at] == _ANY_DEPTH:
            at += 1
            further.add(at)
    return further
