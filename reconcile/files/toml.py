"""
A value as it is written in TOML, on one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile("[A-Za-z0-9_-]+")


def in_toml(value: Any) -> str:
    """Return `value` (plain values of JSON, but for null) as TOML has it."""
    if isinstance(value, Mapping):
        pairs = (f"{name if _BARE.fullmatch(name) else in_toml(name)} = {in_toml(one)}" for name, one in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON lets it stand, TOML does not
