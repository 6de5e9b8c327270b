"""
Declarations as options of the command line, quoted as a shell takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reconcile.orders.cells.remedies import quoted
from reconcile.orders.format import COLUMN_OPTIONS

_PLAIN = re.compile(r"[\w.,:/%+=@-]+")
_WORDS = {" ": "space", "'": "apostrophe", "\t": "tab"}
_NAMES = {"signs": "--sign", **{f"{role}_column": option for role, option in COLUMN_OPTIONS.items()}}


def options_of(declared: Mapping[str, object]) -> str:
    """Return declarations of `OrderFormat`, by name, as options: `--decimal , --thousands space`."""
    return " ".join(word for name, value in declared.items() for word in _option(name, value))


def is_plain(text: str) -> bool:
    """Return whether a shell takes `text` as it stands."""
    return _PLAIN.fullmatch(text) is not None


def _option(name: str, value: object) -> Iterator[str]:
    option = _NAMES.get(name, f"--{name.replace('_', '-')}")
    values = value if isinstance(value, tuple) else [value]
    if isinstance(value, Mapping):
        values = [
            f"{key}={one}" for key, ones in value.items() for one in (ones if isinstance(ones, tuple) else [ones])
        ]
    for one in values:
        text = str(one)
        if name in ("thousands", "delimiter"):
            text = _WORDS.get(text, text)
        yield f"{option} {text if is_plain(text) else quoted(text)}"
