"""
Settings by the source they come from: `reconcile.toml` < environment (`RECONCILE_…`) < options of the command line.

All problems of a source are reported at once.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reconcile.errors import SettingsError
from reconcile.orders.databases.url import passwords
from reconcile.settings.settings import FILE_NAME, PREFIX, Settings, checked, declared


def load_settings(
    config: Path | None = None, *, environ: Mapping[str, str], options: Mapping[str, Any] | None = None
) -> Settings:
    """
    Return the settings of `config` (default: `reconcile.toml` in the working directory, if there), `environ`
    and `options` (None values do not count), the later over the earlier.

    Raises SettingsError that lists every problem of its source.
    """
    values: dict[str, Any] = {}
    path = config or Path(FILE_NAME)
    if config is not None or path.is_file():
        values |= _from_toml(path)
    values |= _from_environment(environ)
    given = {name: value for name, value in (options or {}).items() if value is not None and value != ()}
    return checked(Settings(**values | given))


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting of reconcile and is none."""
    names = [*declared(), *(f"{name}{ending}" for name in ("client_id", "client_secret") for ending in ("", "_file"))]
    known = [PREFIX + name.upper() for name in names]
    sentences = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.7)
            sentences.append(f"{variable} is no setting" + (f" (did you mean {near[0]}?)" if near else ""))
    return sentences


def clean_settings(rules: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the settings that `rules` are: a table `[match.clean]` as a dictionary, such as `{"case": "fold"}`.

    Raises SettingsError that lists every problem.
    """
    return _converted({"match": {"clean": rules}}, "clean")


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        # A fraction stays the text it was written as: 0.1 percent is not the float 0.1.
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file", hint="`reconcile init` writes one") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    return _converted(document, str(path))


def _converted(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    types = {name: type_ for name, (_, type_) in declared().items()}
    fields = {(place.table, place.key or name): name for name, (place, _) in declared().items()}
    fields |= {(place.table, name): name for name, (place, _) in declared().items()}  # as the option is called
    tables = {table for table, _ in fields}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for table, key, value in _entries(document, tables):
        name = fields.get((table, key))
        where = f"[{table}] {key}" if table else key
        if name is None:
            problems.append(f"{where}: there is no such setting{_nearest(table, key, fields)}")
            continue
        try:
            if name == "tolerance_percent" and type(value) is int:
                value = str(value)
            values[name] = msgspec.convert(value, types[name], strict=types[name] is not float)
            if name == "orders_db" and passwords(values[name]):
                problems.append(f"{where}: holds a password: use {PREFIX}ORDERS_DB, PGPASSWORD or ~/.pgpass for it")
        except msgspec.ValidationError as error:
            problems.append(f"{where}: {_in_words(error)}")
    if problems:
        raise SettingsError(
            f"{source}: " + "; ".join(problems), hint="`reconcile init` shows every setting with its meaning"
        )
    return values


_WORDS = {
    "`int | null`": "a whole number",
    "`int`": "a whole number",
    "`float`": "a number",
    "`str | null`": "text in quotes",
    "`str`": "text in quotes",
    "`array`": "a list",
}


def _in_words(error: msgspec.ValidationError) -> str:
    text = str(error).replace("Expected", "expected").replace("Invalid", "invalid")
    text = text.replace("Object contains unknown field", "there is no").replace(
        "Object missing required field", "lacks"
    )
    expected, got, _ = text.partition(", got ")
    for type_, word in _WORDS.items():
        expected = expected.replace(type_, word)
    if got:
        return expected
    return re.sub(r" - at `\$\[(\d+)\]`$", lambda place: f" (entry {int(place[1]) + 1})", text)


def _entries(document: Mapping[str, Any], tables: set[str], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    for key, value in document.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and path in tables:
            yield from _entries(value, tables, path)
        else:
            yield prefix, key, value


def _nearest(table: str, key: str, fields: Mapping[tuple[str, str], str]) -> str:
    known = {f"[{known_table}] {known_key}" for known_table, known_key in fields}
    near = difflib.get_close_matches(f"[{table}] {key}", known, n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, (_, type_) in declared().items():
        variable = PREFIX + name.upper()
        text = environ.get(variable)
        if not text:
            continue
        try:
            if type_ == tuple[str, ...]:
                values[name] = tuple(part.strip() for part in text.split(",") if part.strip())
            elif name in ("tolerances", "clean_replace"):
                values[name] = msgspec.json.decode(text, type=type_)
            else:
                values[name] = msgspec.convert(text, type_, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{variable}: {_in_words(error)}")
        except msgspec.DecodeError:
            problems.append(f"{variable}: is not JSON")
    if problems:
        raise SettingsError("; ".join(problems))
    return values
