"""
Settings for people and their editors: a `reconcile.toml` to start from, its JSON Schema, and the page of the docs.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconcile.files.toml import in_toml
from reconcile.settings.declared import PREFIX, Setting, declared
from reconcile.settings.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def commented_toml() -> str:
    """Return a `reconcile.toml` that names every setting with its meaning and default, all commented out."""
    lines = [
        "# Settings of reconcile. Every setting is commented out and shows its default, or an example.",
        "# The environment (RECONCILE_…) goes over this file, options of the command line over both.",
        f"# Credentials are not settings: {PREFIX}CLIENT_ID and {PREFIX}CLIENT_SECRET, or {PREFIX}CLIENT_SECRET_FILE.",
    ]
    for table, settings in by_table().items():
        lines += ["", f"[{table}]"]
        for setting in settings:
            lines += [f"# {setting.about}", f"#{setting.key} = {in_toml(setting.example)}"]
    return "\n".join(lines) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `reconcile.toml`: editors complete and check by it."""
    schema: dict[str, Any] = {"$schema": _DIALECT, "title": "reconcile.toml", **_table()}
    for table, settings in by_table().items():
        place = schema
        for name in table.split("."):
            place = place["properties"].setdefault(name, _table())
        for setting in settings:
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
    for table, settings in by_table().items():
        lines += [
            "",
            f"## `[{table}]`",
            "",
            "| key | default | option, variable | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for setting in settings:
            default = "" if setting.default is None else f"`{in_toml(msgspec.to_builtins(setting.default))}`"
            names = [setting.option, setting.variable] if setting.said("has_option", True) else [setting.variable]
            about = setting.about.replace("|", "\\|").replace("*", "\\*")
            ways = ", ".join(f"`{name}`" for name in names)
            lines.append(f"| `{setting.key}` | {default} | {ways} | {about} |")
    return "\n".join(lines) + "\n"


def by_table() -> dict[str, list[Setting]]:
    """Return all settings by their table, tables in the order of their first setting."""
    tables: dict[str, list[Setting]] = {}
    for setting in declared(Settings):
        tables.setdefault(setting.table, []).append(setting)
    return tables


def _table() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}
