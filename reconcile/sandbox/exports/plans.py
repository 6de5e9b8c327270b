"""
What an export is to hold: the attributes of a create request to a plan, or the 422 they deserve.

Follows https://docs.commercelayer.io/core/exporting-resources : `fields` name own and related fields, `*` is all of
them, and with `fields` the `includes` count for nothing unless repeated as `rel.*`. A relationship that is not
included is `<name>_id`. Where the documents are silent: only what is named is exported, `id` too; a name that there
is not, or that is not exportable, is refused; filters are read as those of lists are. `jwt_filters` changes nothing:
no token here is bound to a market.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.bodies import check_texts
from reconcile.sandbox.api.filters import Condition
from reconcile.sandbox.api.query import read_condition
from reconcile.sandbox.api.refusals import Refusal
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.resources import ResourceType, Row

CREATABLE = (
    *("resource_type", "format", "includes", "fields", "filters", "dry_data", "jwt_filters"),
    *("reference", "reference_origin", "metadata"),
)
_ALL = "*"


@dataclass(frozen=True, slots=True)
class Branch:
    """
    What is exported of one resource: its id, attributes, the ids of `links`, and the branch of each related one.

    `types` are what it may be of: several behind a polymorphic relationship, of which each has those of the names
    that it knows; none for a resource without rows here. With `has_type` it says of which.
    """

    types: tuple[ResourceType, ...]
    has_id: bool
    has_type: bool
    attributes: tuple[str, ...]
    links: tuple[str, ...]
    related: Mapping[str, Branch]


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """An export that may be made: of which rows, what, and written how."""

    resource_type: str
    conditions: tuple[Condition, ...]
    branch: Branch
    csv: bool
    dry: bool


def read_plan(attributes: Row, types: Collection[str], *, includes: bool, source_types: bool = False) -> ExportPlan:
    """
    Return the plan that the attributes of a create request ask for.

    `types` may be exported; with `includes` False no related resource may. With `source_types` what is behind a
    polymorphic relationship has a field `type`. Raises Refusal.
    """
    resource_type = attributes.get("resource_type")
    if resource_type is None:
        raise refusals.invalid_value("resource_type", "blank", "can't be blank")
    if resource_type not in types:
        raise refusals.invalid_value("resource_type", "inclusion", "is not included in the list", value=resource_type)
    if attributes.get("format") not in (None, "json", "csv"):
        raise refusals.invalid_value("format", "inclusion", "is not included in the list", value=attributes["format"])
    for name in ("dry_data", "jwt_filters"):
        if not isinstance(attributes.get(name), bool | None):
            raise refusals.invalid_value(name, "invalid", "is not a boolean")
    check_texts(attributes, ("reference", "reference_origin"))
    type_ = TYPES[resource_type]
    return ExportPlan(
        resource_type=resource_type,
        conditions=_conditions(attributes.get("filters"), type_),
        branch=_branch(attributes, type_, includes=includes, source_types=source_types),
        csv=attributes.get("format") == "csv",
        dry=attributes.get("dry_data") is True,
    )


def _conditions(filters: Any, type_: ResourceType) -> tuple[Condition, ...]:
    if filters is None:
        return ()
    if not isinstance(filters, dict):
        raise refusals.invalid_value("filters", "invalid", "is not an object")
    try:
        return tuple(read_condition(name, _filter_text(value), type_) for name, value in filters.items())
    except Refusal as refusal:
        raise not_a_filter(refusal) from refusal


def not_a_filter(refusal: Refusal) -> Refusal:
    """Return what an export says of a filter that a list answers with `refusal`."""
    return refusals.invalid_value("filters", "invalid", refusal.detail)


def _filter_text(value: Any) -> str:
    """Return a filter's JSON value as a list request would spell it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return ",".join(_filter_text(part) for part in value)
    return msgspec.json.encode(value).decode()


@dataclass(slots=True)
class _Named:
    """The names that were asked of one resource so far, whose type is one of `types`; `*` stands for all of them."""

    types: tuple[ResourceType, ...]
    typed: bool = False
    own: set[str] = field(default_factory=set)
    related: dict[str, _Named] = field(default_factory=dict)

    def add(self, names: Sequence[str], *, includes: bool, source_types: bool) -> bool:
        """Add what one path names, its own name last: `number`, `order.number`, `order.*`; return whether it can be."""
        *relationships, name = names
        named = self
        for relationship in relationships:
            known = [type_.relationships.get(relationship) for type_ in named.types]
            behind = [one for one in known if one is not None and one.type != "event_stores"]
            if not behind or len(behind) < len(known) or not includes:
                return False
            types = tuple(TYPES[target] for one in behind for target in one.types if target in TYPES)
            typed = source_types and len(behind[0].types) > 1
            named = named.related.setdefault(relationship, _Named(types, typed))
        known_name = name == _ALL or (name == "type" and named.typed) or not named.types
        if not known_name and not any(_is_own(type_, name) for type_ in named.types):
            return False
        named.own.add(name)
        return True

    def branch(self, *, dry: bool) -> Branch:
        """Return the branch these names make; a dry one has no ids and no times."""
        everything = _ALL in self.own
        attributes = {
            name: None
            for type_ in self.types
            for name in type_.attributes
            if (everything or name in self.own) and name not in type_.unexportable
        }
        links = {
            name: None
            for type_ in self.types
            for name in _to_one(type_)
            if f"{name}_id" in self.own or (everything and name not in self.related)
        }
        return Branch(
            types=self.types,
            has_id=not dry and (everything or "id" in self.own),
            has_type=self.typed and (everything or "type" in self.own),
            attributes=tuple(name for name in attributes if not (dry and name.endswith("_at"))),
            links=() if dry else tuple(links),
            related={name: named.branch(dry=dry) for name, named in self.related.items()},
        )


def _branch(attributes: Row, type_: ResourceType, *, includes: bool, source_types: bool) -> Branch:
    fields, included = _names(attributes, "fields"), _names(attributes, "includes")
    from_includes, from_fields = _Named((type_,), own={_ALL}), _Named((type_,))
    for path in included:
        if not from_includes.add((*path.split("."), _ALL), includes=includes, source_types=source_types):
            raise _invalid("includes", path)
    for path in fields:
        if not from_fields.add(path.split("."), includes=includes, source_types=source_types):
            raise _invalid("fields", path)
    named = from_fields if fields else from_includes
    return named.branch(dry=attributes.get("dry_data") is True)


def _names(attributes: Row, name: str) -> list[str]:
    value = attributes.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise refusals.invalid_value(name, "invalid", "is not a list of strings")
    return value


def _is_own(type_: ResourceType, name: str) -> bool:
    if name in type_.attributes:
        return name not in type_.unexportable
    return name == "id" or name in {f"{relationship}_id" for relationship in _to_one(type_)}


def _to_one(type_: ResourceType) -> tuple[str, ...]:
    return tuple(name for name, relationship in type_.relationships.items() if not relationship.many)


def _invalid(attribute: str, path: str) -> Refusal:
    return refusals.invalid_value(attribute, "invalid", f"{path} is not exportable", value=path)
