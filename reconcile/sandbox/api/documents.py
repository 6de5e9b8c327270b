"""
Rows to JSON:API documents: resource objects, included resources, links and list figures.

Shape of https://docs.commercelayer.io/core/api-specification and .../including-associations: a relationship has
`data` only when it is included; sparse fields remove attributes and relationships alike, and a member that would be
empty is left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlencode

from reconcile.sandbox.api.includes import Includes
from reconcile.sandbox.api.query import ListQuery, View
from reconcile.sandbox.world.attributes import complete_order
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.money_types import BALANCES
from reconcile.sandbox.world.relations import related
from reconcile.sandbox.world.resources import ResourceType, Row
from reconcile.sandbox.world.world import World

_PAGE_NUMBER, _PAGE_SIZE = "page%5Bnumber%5D", "page%5Bsize%5D"


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


@dataclass(slots=True)
class _Node:
    """One resource of a document, with the resources behind each relationship that is included."""

    type: ResourceType
    row: Row
    links: dict[str, list[_Node]] = field(default_factory=dict)

    @property
    def identifier(self) -> Row:
        return {"type": self.type.name, "id": self.row["id"]}


class Renderer:
    """Renders rows of `world` for one request: `base` is the API's address as the client sees it."""

    def __init__(self, world: World, *, base: str, trace_id: str, view: View) -> None:
        self._world = world
        self._base = base
        self._view = view
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._shown: dict[str, _Shown] = {}
        self._meta = {"mode": world.mode, "organization_id": world.organization_id, "trace_id": trace_id}

    def one(self, row: Row, type_name: str) -> Row:
        """Return the document of a single resource."""
        data, included = self._resources([row], type_name)
        return self._document({"data": data[0]}, included)

    def many(self, rows: list[Row], type_name: str, *, query: ListQuery, path: str, count: int) -> Row:
        """Return the document of one page: `count` is how many rows match in all."""
        data, included = self._resources(rows, type_name)
        pages = -(-count // query.size)
        document = {
            "data": data,
            "meta": {"record_count": count, "page_count": pages},
            "links": _links(f"{self._base}{path}", query, pages),
        }
        return self._document(document, included)

    def cursor_page(self, rows: list[Row], type_name: str, following: str | None) -> Row:
        """Return a page that is not counted, with the address of the next one, if there is one."""
        data, _ = self._resources(rows, type_name)
        for resource in data:
            resource["links"]["self"] = None  # as a recorded answer has it
        return {"data": data, "meta": {}, "links": {} if following is None else {"next": following}}

    def _document(self, document: Row, included: list[Row]) -> Row:
        if self._view.includes:
            document["included"] = included
        return document

    def _resources(self, rows: list[Row], type_name: str) -> tuple[list[Row], list[Row]]:
        """Return the resource objects of `rows`, and of what is included with them: each resource once."""
        nodes = [_Node(TYPES[type_name], row) for row in rows]
        primary = {(type_name, node.row["id"]): node for node in nodes}
        self._nodes = dict(primary)
        for node in nodes:
            self._include(node, self._view.includes)
        included = [node for key, node in self._nodes.items() if key not in primary]
        return [self._resource(node) for node in nodes], [self._resource(node) for node in included]

    def _include(self, node: _Node, includes: Includes) -> None:
        """Find what `includes` lead to. Where several paths lead to one resource, it has the links of all of them."""
        for name, further in includes.items():
            behind = node.links.get(name)
            if behind is None:
                found = related(self._world, node.type.name, node.row, name)
                behind = node.links[name] = [self._node(type_name, row) for type_name, row in found]
            if further:
                for one in behind:
                    self._include(one, further)

    def _node(self, type_name: str, row: Row) -> _Node:
        key = (type_name, row["id"])
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _Node(TYPES[type_name], row)
        return node

    def _resource(self, node: _Node) -> Row:
        type_, row = node.type, node.row
        shown = self._shown.get(type_.name)
        if shown is None:
            shown = self._shown[type_.name] = _Shown.of(type_, self._view.fields.get(type_.name))
        url = f"{self._base}/{type_.name}/{row['id']}"
        resource: Row = {"id": row["id"], "type": type_.name, "links": {"self": url}}
        attributes = shown_attributes(self._world, row, type_, shown.attributes)
        if attributes:
            resource["attributes"] = attributes
        # Not listed in `fields`, an included resource is sent without the linkage that would lead to it.
        if shown.relationships:
            resource["relationships"] = {name: _relationship(node, name, url) for name in shown.relationships}
        mode = row.get("mode")
        resource["meta"] = {**self._meta, "mode": mode} if mode else self._meta
        return resource


def _relationship(node: _Node, name: str, url: str) -> Row:
    """Return the links of one relationship, and its linkage where it is included."""
    links = {"links": {"self": f"{url}/relationships/{name}", "related": f"{url}/{name}"}}
    behind = node.links.get(name)
    if behind is None:
        return links
    identifiers = [one.identifier for one in behind]
    if node.type.relationships[name].many:
        return {**links, "data": identifiers}
    return {**links, "data": identifiers[0] if identifiers else None}


def shown_attributes(world: World, row: Row, type_: ResourceType, names: tuple[str, ...]) -> Row:
    """Return the attributes `names` of a row as the API shows them."""
    if type_.name == "orders" and any(name not in row for name in names):
        row = complete_order(row)
    elif type_.name in BALANCES and any(name not in row for name in names):
        row = world.money.complete(row, type_.name)
    attributes = {name: row.get(name) for name in names}
    if world.canary is not None:
        for name in type_.secrets:
            if name in attributes:
                attributes[name] = f"{world.canary}-{attributes[name] or name}"
    return attributes


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
