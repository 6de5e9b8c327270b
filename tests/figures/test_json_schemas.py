"""The published JSON Schemas: complete, versioned, and printed by a command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from reconcile.cli.main import main
from reconcile.cli.schema import schema
from reconcile.figures.json_schema import VERSIONS, schema_document
from reconcile.matching.policy import Status
from reconcile.schema import PUBLISHED_TABLES

PUBLISHED = Path(__file__).with_name("published.txt")

Schema = dict[str, Any]


def said(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def objects(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield each object that a schema describes, by the name of its part; what only names another is not one."""
    parts = {"": document, **document.get("$defs", {})}
    yield from ((name, part) for name, part in parts.items() if "properties" in part)


def fields(name: str) -> Iterator[str]:
    """Yield each field of a schema with what it may be, as a line of text."""
    words = (
        "type",
        "format",
        "enum",
        "const",
        "anyOf",
        "items",
        "additionalProperties",
        "$ref",
        "x-unit",
        "x-arrow-type",
    )
    for part, one in objects(schema_document(name)):
        for field, property_ in one["properties"].items():
            claims = {word: property_[word] for word in words if word in property_}
            yield " ".join(filter(None, (name, part, field, json.dumps(claims, sort_keys=True))))


def without_values(line: str) -> str:
    """Return a line of `fields` without the values that its field may have."""
    return re.sub(r'"enum": \[[^\]]*\]', '"enum": …', line)


def values_of(line: str) -> list[str]:
    return re.findall(r'"[^"]*"|[^\s,]+', " ".join(re.findall(r'"enum": \[([^\]]*)\]', line)))


@pytest.mark.parametrize("name", VERSIONS)
def test_a_schema_is_a_schema_of_the_dialect_it_names(name: str) -> None:
    document = schema_document(name)

    Draft202012Validator.check_schema(document)
    assert document["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert document["$id"] == f"urn:reconcile:schema:{name}:{VERSIONS[name]}"


@pytest.mark.parametrize("name", VERSIONS)
def test_every_field_is_described_and_required_and_there_are_no_others(name: str) -> None:
    for part, one in objects(schema_document(name)):
        assert one["additionalProperties"] is False, part
        assert one["required"] == list(one["properties"]), part
        assert [field for field, property_ in one["properties"].items() if not property_["description"]] == [], part


@pytest.mark.parametrize("name", VERSIONS)
def test_every_amount_of_money_says_its_unit(name: str) -> None:
    for part, one in objects(schema_document(name)):
        units = {field: property_.get("x-unit") for field, property_ in one["properties"].items()}

        assert {field for field in units if field.endswith("_cents")} <= {
            field for field, unit in units.items() if unit == "minor units of the currency"
        }, part


@pytest.mark.parametrize("name", ["items", "payments", "orders", "history", "refresh"])
def test_columns_are_those_of_the_table_in_its_order(name: str) -> None:
    properties = schema_document(name)["properties"]

    assert list(properties) == PUBLISHED_TABLES[name].names
    assert [one["x-arrow-type"] for one in properties.values()] == [str(field.type) for field in PUBLISHED_TABLES[name]]
    assert [one["type"][-1] == "null" for one in properties.values()] == [
        field.nullable for field in PUBLISHED_TABLES[name]
    ]


def test_statuses_are_a_closed_list_in_items_and_in_the_summary() -> None:
    items, summary = schema_document("items"), schema_document("summary")

    assert set(items["properties"]["status"]["enum"]) == set(summary["$defs"]["Status"]["enum"]) == set(Status)
    assert items["properties"]["state"]["enum"] == ["new", "open", "reopened", None]


def test_nothing_of_a_version_has_gone_or_changed_while_it_is_that_version() -> None:
    """
    New fields may come, and new values of a list. When this fails, let the schema's version grow and write its lines
    again from `fields`.
    """
    now = {line for name in VERSIONS for line in fields(name)}
    values = {without_values(line): set(values_of(line)) for line in now}
    first = PUBLISHED.read_text(encoding="utf-8").splitlines()

    assert VERSIONS == {"summary": 2, "items": 1, "payments": 1, "orders": 1, "history": 1, "refresh": 1}
    assert [line for line in first if without_values(line) not in values] == []
    assert [line for line in first if not values[without_values(line)] >= set(values_of(line))] == []


def test_the_command_prints_each_schema() -> None:
    (argument,) = [one for one in schema.params if one.name == "name"]
    choices = argument.to_info_dict()["type"]["choices"]

    assert list(choices) == list(VERSIONS)
    for name in choices:
        assert json.loads(said("schema", name).stdout) == schema_document(name)


def test_the_command_writes_a_file_and_names_it(tmp_path: Path) -> None:
    result = said("schema", "orders", "--to", str(tmp_path / "orders.schema.json"))

    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{tmp_path / 'orders.schema.json'}\n", "")
    assert (tmp_path / "orders.schema.json").read_text(encoding="utf-8") == said("schema", "orders").stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "orders.schema.json"]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    result = said("schema", "orders", "--to", str(tmp_path / "none" / "orders.json"))

    assert result.exit_code == 5
    assert "cannot be written" in result.stderr
    nameless = said("schema", "orders", "--to", "")
    assert nameless.exit_code == 5
    assert "is a folder, not the name of a file" in nameless.stderr
