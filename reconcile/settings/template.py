"""
Settings for people and their editors: a `reconcile.toml` to start from, its JSON Schema, and the page of the docs.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconcile.files.toml import in_toml
from reconcile.settings.declared import Setting, declared
from reconcile.settings.settings import PREFIX, Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def commented_toml() -> str:
    """Return a `reconcile.toml` that names every setting with its meaning and default, all commented out."""
    lines = [
        "# Settings of reconcile. Every setting is commented out and shows its default, or an example.",
        "# The environment (RECONCILE_…) goes over this file, options of the command line over both.",
        f"# Credentials are not settings: {PREFIX}CLIENT_ID and {PREFIX}CLIENT_SECRET, or {PREFIX}CLIENT_SECRET_FILE.",
    ]
    table = ""
    for setting in sorted_by_table():
        if setting.table != table:
            table = setting.table
            lines += ["", f"[{table}]"]
        lines += [f"# {setting.about}", f"#{setting.key} = {in_toml(setting.example)}"]
    return "\n".join(lines) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `reconcile.toml`: editors complete and check by it."""
    schema: dict[str, Any] = {"$schema": _DIALECT, "title": "reconcile.toml", **_table()}
    for setting in sorted_by_table():
        place = schema
        for name in setting.table.split("."):
            place = place["properties"].setdefault(name, _table())
        (found,), components = msgspec.json.schema_components([setting.type])
        if setting.is_list and setting.choices:
            found["items"] |= {"enum": list(setting.choices)}
        elif setting.choices and "anyOf" not in found:
            found["enum"] = list(setting.choices)
        place["properties"][setting.key] = found
        if setting.default is not None:
            found["default"] = msgspec.to_builtins(setting.default)
        if components:
            schema.setdefault("$defs", {}).update(components)
    return schema


def markdown() -> str:
    """Return the page of the docs that lists every setting."""
    lines = [
        "# Settings",
        "",
        "Every setting has a place in `reconcile.toml`, a variable of the environment and mostly an option. The",
        "environment goes over the file, options over both. `reconcile init` writes a file with all of them.",
        "`reconcile init --schema` prints its JSON Schema: saved as `reconcile.schema.json`, and with the line",
        "`#:schema ./reconcile.schema.json` at the top of the file, editors complete and check it. In a variable, a",
        "list is separated by commas, and a table is JSON.",
    ]
    table = ""
    for setting in sorted_by_table():
        if setting.table != table:
            table = setting.table
            lines += [
                "",
                f"## `[{table}]`",
                "",
                "| key | default | option, variable | meaning |",
                "| --- | --- | --- | --- |",
            ]
        default = "" if setting.default is None else f"`{in_toml(msgspec.to_builtins(setting.default))}`"
        option = f"`--{setting.name.replace('_', '-')}`, " if setting.said("has_option", True) else ""
        variable = f"`{PREFIX}{setting.name.upper()}`"
        about = setting.about.replace("|", "\\|").replace("*", "\\*")
        lines.append(f"| `{setting.key}` | {default} | {option}{variable} | {about} |")
    return "\n".join(lines) + "\n"


def sorted_by_table() -> list[Setting]:
    """Return all settings, those of a table together, tables in the order of their first setting."""
    settings = declared(Settings)
    tables = list(dict.fromkeys(setting.table for setting in settings))
    return sorted(settings, key=lambda setting: tables.index(setting.table))


def _table() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}
