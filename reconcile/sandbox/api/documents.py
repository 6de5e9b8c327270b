"""
Rows to JSON:API documents: resource objects, included resources, links and list figures.

Shape of https://docs.commercelayer.io/core/api-specification and .../including-associations: a relationship has
`data` only when it is included; sparse fields remove attributes and relationships alike, and a member that would be
empty is left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from reconcile.sandbox.api.query import Includes, ListQuery, View
from reconcile.sandbox.world.attributes import complete_order
from reconcile.sandbox.world.resources import TYPES, Relationship, ResourceType, Row
from reconcile.sandbox.world.world import World

_PAGE_NUMBER, _PAGE_SIZE = "page%5Bnumber%5D", "page%5Bsize%5D"
CREDENTIALS = ("client_token", "auth_token")


@dataclass(frozen=True, slots=True)
class _Shown:
    """The names of one type that a request gets to see."""

    attributes: tuple[str, ...]
    relationships: tuple[str, ...]

    @classmethod
    def of(cls, type_: ResourceType, fields: frozenset[str] | None) -> _Shown:
        if fields is None:
            return cls(type_.attributes, tuple(type_.relationships))
        return cls(
            tuple(name for name in type_.attributes if name in fields),
            tuple(name for name in type_.relationships if name in fields),
        )


class Renderer:
    """Renders rows of `world` for one request: `base` is the API's address as the client sees it."""

    def __init__(self, world: World, *, base: str, trace_id: str, view: View) -> None:
        self._world = world
        self._base = base
        self._trace_id = trace_id
        self._view = view
        self._included: dict[tuple[str, str], Row] = {}
        self._shown: dict[str, _Shown] = {}

    def one(self, row: Row, type_name: str) -> Row:
        """Return the document of a single resource."""
        return self._with_included({"data": self._resource(row, TYPES[type_name], self._view.includes)})

    def many(self, rows: list[Row], type_name: str, *, query: ListQuery, path: str, count: int) -> Row:
        """Return the document of one page: `count` is how many rows match in all."""
        data = [self._resource(row, TYPES[type_name], self._view.includes) for row in rows]
        pages = -(-count // query.size)
        document = {
            "data": data,
            "meta": {"record_count": count, "page_count": pages},
            "links": _links(f"{self._base}{path}", query, pages),
        }
        return self._with_included(document)

    def cursor_page(self, rows: list[Row], type_name: str, following: str | None) -> Row:
        """Return a page that is not counted, with the address of the next one, if there is one."""
        data = [self._resource(row, TYPES[type_name], {}) for row in rows]
        for resource in data:
            resource["links"]["self"] = None  # as a recorded answer has it
        return {"data": data, "meta": {}, "links": {} if following is None else {"next": following}}

    def _with_included(self, document: Row) -> Row:
        if self._view.includes:
            document["included"] = list(self._included.values())
        return document

    def _resource(self, row: Row, type_: ResourceType, includes: Includes) -> Row:
        shown = self._shown.get(type_.name)
        if shown is None:
            shown = self._shown[type_.name] = _Shown.of(type_, self._view.fields.get(type_.name))
        url = f"{self._base}/{type_.name}/{row['id']}"
        resource: Row = {"id": row["id"], "type": type_.name, "links": {"self": url}}
        attributes = shown_attributes(self._world, row, type_, shown.attributes)
        if attributes:
            resource["attributes"] = attributes
        relationships = self._relationships(row, type_, shown, includes, url)
        if relationships:
            resource["relationships"] = relationships
        resource["meta"] = {
            "mode": row.get("mode") or self._world.mode,
            "organization_id": self._world.organization_id,
            "trace_id": self._trace_id,
        }
        return resource

    def _relationships(self, row: Row, type_: ResourceType, shown: _Shown, includes: Includes, url: str) -> Row:
        relationships: Row = {
            name: {"links": {"self": f"{url}/relationships/{name}", "related": f"{url}/{name}"}}
            for name in shown.relationships
        }
        for name, further in includes.items():
            linkage = self._linkage(row, name, type_.relationships[name], further)
            # Not listed in `fields`, an included resource is sent without the linkage that would lead to it.
            if name in relationships:
                relationships[name]["data"] = linkage
        return relationships

    def _linkage(self, row: Row, name: str, relationship: Relationship, includes: Includes) -> Any:
        target = related(self._world, row, name)
        if relationship.many:
            return [self._include(one, relationship.type, includes) for one in target or ()]
        return None if target is None else self._include(target, relationship.type, includes)

    def _include(self, row: Row, type_name: str, includes: Includes) -> Row:
        key = (type_name, row["id"])
        if key not in self._included:
            self._included[key] = {}  # claimed before it is rendered: includes may lead in circles
            self._included[key] = self._resource(row, TYPES[type_name], includes)
        return {"type": type_name, "id": row["id"]}


def shown_attributes(world: World, row: Row, type_: ResourceType, names: tuple[str, ...]) -> Row:
    """Return the attributes `names` of a row as the API shows them."""
    if type_.name == "orders" and any(name not in row for name in names):
        row = complete_order(row)
    attributes = {name: row.get(name) for name in names}
    if world.canary is not None:
        for name in CREDENTIALS:
            if name in attributes:
                attributes[name] = f"{world.canary}-{attributes[name] or name}"
    return attributes


def related(world: World, row: Row, name: str) -> Any:
    """Return the row behind the to-one relationship `name`, or None; relationships without rows here are empty."""
    match name:
        case "order":
            return world.order_of(row)
        case "payment_gateway":
            return world.gateways.find(row["payment_gateway_id"])
        case "payment_source":
            return world.payments.find(row["payment_source_id"]) if row.get("payment_source_id") else None
        case "payment_method":
            return world.method_of(row)
        case "payment_methods":
            return [world.methods.row(1)] if world.methods.row(1)["payment_gateway_id"] == row["id"] else []
    return None


class Renderers:
    """Makes the renderer of each answer; answers are counted, for their trace ids."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._answers = 0

    def renderer(self, base: str, view: View) -> Renderer:
        """Return the renderer of the next answer."""
        self._answers += 1
        trace_id = hashlib.sha256(f"{self._world.seed}/{self._answers}".encode()).hexdigest()
        return Renderer(self._world, base=base, trace_id=trace_id, view=view)


def _links(address: str, query: ListQuery, pages: int) -> Row:
    """Return first, prev, next, last: past the end there is no next, and prev is simply one less."""
    others = urlencode({name: value for name, value in query.parameters.items() if not name.startswith("page[")})
    start = f"{address}?{others}{'&' if others else ''}{_PAGE_NUMBER}="
    end = f"&{_PAGE_SIZE}={query.size}"
    links = {"first": f"{start}1{end}"}
    if query.number > 1:
        links["prev"] = f"{start}{query.number - 1}{end}"
    if query.number < pages:
        links["next"] = f"{start}{query.number + 1}{end}"
    links["last"] = f"{start}{max(pages, 1)}{end}"
    return links
