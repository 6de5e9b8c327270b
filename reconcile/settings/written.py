"""
What is declared about order files, written to a settings file: the part of it that differs from the defaults.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from reconcile.errors import OutputError, SettingsError
from reconcile.files.toml import in_toml
from reconcile.settings.declared import Setting, declared
from reconcile.settings.settings import Settings

_OF_FILES = ("orders", "format")


def with_declared(settings: Settings, more: Mapping[str, object]) -> Settings:
    """Return `settings` with `more` declared of the order files, by the names of `OrderFormat`."""
    names = {one.path[-1]: one.name for one in declared(Settings) if one.path[:-1] == _OF_FILES}
    return settings.replaced(**{names[name]: value for name, value in more.items()})


def written_orders(settings: Settings) -> str:
    """Return the tables of `reconcile.toml` that name the order files of `settings` and say how they are written."""
    tables: dict[str, list[Setting]] = {}
    for one in declared(Settings):
        is_wanted = one.path[:-1] == _OF_FILES or one.name == "orders"
        if is_wanted and one.value_in(settings) != one.default:
            tables.setdefault(one.table, []).append(one)
    lines = []
    for table in sorted(tables):  # a table comes before those below it
        lines += ["", f"[{table}]"]
        lines += [f"{one.key} = {in_toml(msgspec.to_builtins(one.value_in(settings)))}" for one in tables[table]]
    return "\n".join(lines[1:]) + "\n"


def write_orders(settings: Settings, path: Path) -> None:
    """
    Write the tables of `written_orders` to `path`, or behind what is there.

    Raises SettingsError, with the lines to add, where a table of them is there already, OutputError when the disk
    refuses.
    """
    text = written_orders(settings)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        there = tomllib.loads(before)
        taken = [name for name in tomllib.loads(text) if name in there]
        if taken:
            raise SettingsError(
                f"{path}: has a table [{taken[0]}] already, which is left as it is", hint=f"add to it:\n{text.rstrip()}"
            )
        gap = "\n" if before.strip() else ""
        path.write_text(before + gap + text, encoding="utf-8")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path}: is not TOML: {error}", hint="correct it, or name another file with --config"
        ) from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
