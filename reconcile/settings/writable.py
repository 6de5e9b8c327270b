"""
Which strings a setting or an argument may have: those that can be written to every file that tells of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconcile.errors import SettingsError


def check_writable(values: Mapping[str, object]) -> None:
    """Raise SettingsError when a string among `values`, by the name of its setting, cannot be written to a file."""
    for name, value in values.items():
        for text in _strings_in(value):
            # Not shown: an address may hold a password.
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise SettingsError(
                    f"{name}: is not UTF-8",
                    hint="rename the file or folder, or name it by a pattern"
                    if "orders" in name
                    else "rename the file or folder, or write the text again",
                )
            if "\0" in text:
                raise SettingsError(f"{name}: holds the character U+0000", hint="write the text again, without it")


def _strings_in(value: object) -> Iterator[str]:
    """Yield the strings and paths of a value, of a list or of a table."""
    if isinstance(value, Mapping):
        yield from _strings_in([*value, *value.values()])
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _strings_in(one)
    elif isinstance(value, str | Path):
        yield str(value)
