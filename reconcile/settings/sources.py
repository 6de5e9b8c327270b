"""
Settings by the source they come from: `reconcile.toml` < environment (`RECONCILE_…`) < options of the command line.

All problems of a source are reported at once.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reconcile.errors import SettingsError
from reconcile.orders.databases.url import passwords
from reconcile.settings.declared import PREFIX, Setting, declared
from reconcile.settings.settings import FILE_NAME, Settings

_CREDENTIALS = ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_ID_FILE", "CLIENT_SECRET_FILE")


def load_settings(
    config: Path | None = None, *, environ: Mapping[str, str], options: Mapping[str, object] | None = None
) -> Settings:
    """
    Return the settings of `config` (default: `reconcile.toml` in the working directory, if there), `environ`
    and `options` (None values do not count), the later over the earlier.

    Raises SettingsError that lists every problem of its source.
    """
    values: dict[str, object] = {}
    path = config or Path(FILE_NAME)
    if config is not None or path.is_file():
        values |= _from_toml(path)
    values |= _from_environment(environ)
    given = {name: value for name, value in (options or {}).items() if value is not None and value != ()}
    return Settings.of(**values | given)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting of reconcile and is none."""
    known = [*(setting.variable for setting in declared(Settings)), *(PREFIX + name for name in _CREDENTIALS)]
    sentences = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.7)
            sentences.append(f"{variable} is not a setting" + (f" (did you mean {near[0]}?)" if near else ""))
    return sentences


def clean_settings(rules: Mapping[str, object]) -> dict[str, object]:
    """
    Return the settings that `rules` are: a table `[match.clean]` as a dictionary, such as `{"case": "fold"}`.

    Raises SettingsError that lists every problem.
    """
    return _from_document({"match": {"clean": rules}}, "clean")


def settings_in(document: Mapping[str, object], source: str) -> Settings:
    """
    Return the settings of a `document` as `Settings.public` writes it; or by their names, as it did before.

    Raises SettingsError that lists every problem; `source` is what it calls the document.
    """
    if any(isinstance(document.get(setting.table), Mapping) for setting in declared(Settings)):
        return Settings.of(**_from_document(document, source, is_plain=True))
    return Settings.of(**document)


def _from_toml(path: Path) -> dict[str, object]:
    try:
        # A fraction stays the text it was written as: 0.1 percent is not the float 0.1.
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file", hint="`reconcile init` writes one") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    return _from_document(document, str(path))


def _from_document(document: Mapping[str, object], source: str, *, is_plain: bool = False) -> dict[str, object]:
    """Return values by name; `is_plain` for a document of our own, whose values are in the types of JSON."""
    settings = {
        (setting.table, name): setting for setting in declared(Settings) for name in (setting.name, setting.key)
    }
    values: dict[str, object] = {}
    problems: list[str] = []
    for table, key, value in _entries(document, {table for table, _ in settings}):
        setting = settings.get((table, key))
        where = f"[{table}] {key}" if table else key
        if setting is None:
            problems.append(f"{where}: there is no such setting{_nearest(where, settings)}")
            continue
        try:
            values[setting.name] = setting.converted(value, strict=not is_plain)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        if not is_plain and setting.said("may_hold_password") and passwords(str(values[setting.name])):
            problems.append(f"{where}: contains a password: use {setting.variable}, PGPASSWORD or ~/.pgpass for it")
    if problems:
        raise SettingsError(
            f"{source}: " + "; ".join(problems), hint="`reconcile init` shows every setting with its meaning"
        )
    return values


def _entries(document: Mapping[str, object], tables: set[str], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    for key, value in document.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and path in tables:
            yield from _entries(value, tables, path)
        else:
            yield prefix, key, value


def _nearest(where: str, settings: Mapping[tuple[str, str], Setting]) -> str:
    near = difflib.get_close_matches(where, [f"[{table}] {key}" for table, key in settings], n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    problems: list[str] = []
    for setting in declared(Settings):
        if text := environ.get(setting.variable):
            try:
                values[setting.name] = setting.converted(_in_environment(text, setting), strict=False)
            except msgspec.DecodeError:
                problems.append(f"{setting.variable}: is not JSON")
            except ValueError as error:
                problems.append(f"{setting.variable}: {error}")
    if problems:
        raise SettingsError("; ".join(problems))
    return values


def _in_environment(text: str, setting: Setting) -> object:
    """Return the value that `text` stands for: a list has commas, what is neither list nor single value is JSON."""
    if setting.is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text if setting.is_single else msgspec.json.decode(text)
