"""
Request parameters: the query string of a request to what it asks for, or the 400 it deserves.

As strict as https://docs.commercelayer.io/core/filtering-data , sorting-results, sparse-fieldsets, pagination and
including-associations. Names that are no parameter of the API are ignored, as the engine does: `page_size=25` gets
pages of ten. Where a name is sent twice the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.filters import Condition, Path, condition, split_predicate
from reconcile.sandbox.api.includes import Includes, read_includes
from reconcile.sandbox.world.catalogue import OTHER_TYPES, TYPES
from reconcile.sandbox.world.resources import ResourceType

DEFAULT_PAGE_SIZE = 10
MAXIMUM_PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class View:
    """What of each resource is shown: the include tree, and the fields by type (absent: all of them)."""

    includes: Includes = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One list request: page, order, filters, view, and the parameters as sent (for the links)."""

    number: int
    size: int
    sort: tuple[tuple[str, bool], ...]
    conditions: tuple[Condition, ...]
    view: View
    parameters: Mapping[str, str]


def read_parameters(query_string: str) -> dict[str, str]:
    """Return the parameters of a raw query string. Refuses brackets that are not percent-encoded, and bad UTF-8."""
    if "[" in query_string or "]" in query_string:
        raise refusals.bad_request("Brackets in parameter names must be percent-encoded.")
    try:
        return dict(parse_qsl(query_string, keep_blank_values=True, errors="strict"))
    except (ValueError, UnicodeDecodeError) as error:
        raise refusals.bad_request("The query string is not valid UTF-8 in percent-encoding.") from error


def read_view(parameters: Mapping[str, str], type_: ResourceType) -> View:
    """Return what `include` and `fields[...]` say for a request about `type_`."""
    fields = {}
    for name, value in parameters.items():
        match = re.fullmatch(r"fields\[(\w+)\]", name)
        if match:
            fields[match[1]] = _fieldset(match[1], value)
    return View(read_includes(parameters.get("include", ""), type_), fields)


def read_list_query(parameters: Mapping[str, str], type_: ResourceType) -> ListQuery:
    """Return what a list request asks for. Raises Refusal with the API's code for the first thing wrong."""
    number, size = _page(parameters)
    conditions = []
    for name, value in parameters.items():
        if name == "filter" or name.startswith("filter["):
            conditions.append(_filter(name, value, type_))
    return ListQuery(
        number=number,
        size=size,
        sort=_sort(parameters.get("sort", ""), type_),
        conditions=tuple(conditions),
        view=read_view(parameters, type_),
        parameters=parameters,
    )


def read_cursor(parameters: Mapping[str, str]) -> tuple[int, str | None]:
    """Return page size and cursor of a list that is neither counted, filtered nor sorted. Raises Refusal."""
    size, after = DEFAULT_PAGE_SIZE, None
    for name, value in parameters.items():
        if name == "page[size]":
            size = _bounded("size", value, MAXIMUM_PAGE_SIZE)
        elif name == "page[after]":
            after = value
        elif name == "page" or name.startswith("page["):
            raise refusals.param_not_allowed(name)
        elif name == "filter" or name.startswith("filter["):
            raise refusals.filter_not_allowed(name)
        elif name == "sort":
            raise refusals.invalid_sort(value, "event_stores")
    return size, after


def _page(parameters: Mapping[str, str]) -> tuple[int, int]:
    number, size = 1, DEFAULT_PAGE_SIZE
    for name, value in parameters.items():
        if name == "page[number]":
            number = _bounded("number", value, 10**12)
        elif name == "page[size]":
            size = _bounded("size", value, MAXIMUM_PAGE_SIZE)
        elif name == "page" or name.startswith("page["):
            raise refusals.param_not_allowed(name)
    return number, size


def _bounded(name: str, value: str, highest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,13}", value) or not 1 <= int(value) <= highest:
        raise refusals.invalid_page(name, value)
    return int(value)


def _sort(text: str, type_: ResourceType) -> tuple[tuple[str, bool], ...]:
    """Return (attribute, descending) pairs; without `sort` the engine's default, ascending ids."""
    if not text:
        return (("id", False),)
    criteria = []
    for part in text.split(","):
        name = part.removeprefix("-")
        if name not in type_.sortable:
            raise refusals.invalid_sort(name, type_.name)
        criteria.append((name, part.startswith("-")))
    return tuple(criteria)


def _filter(name: str, value: str, type_: ResourceType) -> Condition:
    match = re.fullmatch(r"filter\[q\]\[(\w+)\]", name)
    if match is None:
        inner = re.fullmatch(r"filter\[([^\[\]]*)\].*", name)
        raise refusals.filter_not_allowed(inner[1] if inner else name)
    return read_condition(match[1], value, type_)


def read_condition(name: str, value: str, type_: ResourceType) -> Condition:
    """Return what `name` (`created_at_gteq`) with `value` asks of a row. Refuses what cannot be filtered by."""
    attributes, predicate = split_predicate(name)
    paths = tuple(_path(part, type_, name) for part in attributes.split("_or_"))
    return condition(name, paths, predicate, value)


def _path(attribute: str, type_: ResourceType, name: str) -> Path:
    kind = type_.filterable.get(attribute)
    if kind is not None:
        return Path(None, attribute, kind)
    for relationship, target in type_.crossings.items():
        inner = attribute.removeprefix(f"{relationship}_")
        kind = TYPES[target].filterable.get(inner) if inner != attribute else None
        if kind is not None:
            return Path(relationship, inner, kind)
    raise refusals.filter_not_allowed(name)


def _fieldset(type_name: str, text: str) -> frozenset[str]:
    type_ = TYPES.get(type_name)
    names = frozenset(part for part in text.split(",") if part)
    if type_ is None:
        if type_name in OTHER_TYPES:
            return names
        raise refusals.invalid_resource(type_name)
    for name in sorted(names):
        if name != "id" and name not in type_.attributes and name not in type_.relationships:
            raise refusals.invalid_field(name, type_name)
    return names
