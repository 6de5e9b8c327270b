"""
The answers about the rows of a world: lists, single resources, what they are related to, writes of payments.

Knows requests and documents. Which rows a list means is in `selection`, what may be written in `writes`.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.documents import Renderer, Renderers
from reconcile.sandbox.api.faults import LISTS, Fault, Faults
from reconcile.sandbox.api.frontdoor import RECORD
from reconcile.sandbox.api.includes import IncludeRules
from reconcile.sandbox.api.query import ListQuery, View, read_list_query, read_parameters, read_view
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.api.sending import base_of, json_answer
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.changes import apply_change
from reconcile.sandbox.world.journal import TRANSACTIONS
from reconcile.sandbox.world.loading import loaded
from reconcile.sandbox.world.relations import related
from reconcile.sandbox.world.resources import KLARNA_PAYMENTS, ResourceType, Row
from reconcile.sandbox.world.world import World
from reconcile.sandbox.world.writes import create_payment, delete_payment, patch_payment

_LISTED = ("klarna_payments", "orders", "klarna_gateways", "payment_gateways")
_ODD_IDS = {"empty": "", "control": "XAy\x1b[2JNUzyN", "slash": "../orders/XAyRWNUzyN"}
_RELATED = {
    "klarna_payments": ("order", "payment_gateway"),
    "orders": ("payment_source", "payment_method", "market"),
    "payment_methods": ("payment_gateway",),
    "authorizations": ("order", "payment_source"),
    "captures": ("order", "payment_source", "reference_authorization"),
    "voids": ("order", "payment_source", "reference_authorization"),
    "refunds": ("order", "payment_source", "reference_capture"),
}
"""The to-one relationships that have a path of their own."""


class RowAnswers:
    """Answers about the rows of one world. List requests of payments are counted from 1, for their faults."""

    def __init__(
        self,
        world: World,
        selections: Selections,
        faults: Faults,
        renderers: Renderers,
        *,
        includes: IncludeRules,
    ) -> None:
        self._world = world
        self._faults = faults
        self._renderers = renderers
        self._selections = selections
        self._includes = includes
        self._list_requests = 0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths that are answered here."""
        moves = "|".join(TRANSACTIONS)
        types = "|".join(_LISTED)
        router.add_get(f"/api/{{type:{types}}}", self.list_rows, allow_head=False)
        router.add_get(f"/api/{{type:{moves}}}", self.list_transactions, allow_head=False)
        singles = f"{types}|payment_methods|markets|{moves}"
        router.add_get(f"/api/{{type:{singles}}}/{{id}}", self.one_row, allow_head=False)
        router.add_get(f"/api/orders/{{id}}/{{type:{moves}}}", self.transactions_of, allow_head=False)
        router.add_post("/api/{type:klarna_payments}", self.create)
        router.add_patch("/api/{type:klarna_payments}/{id}", self.patch)
        router.add_delete("/api/{type:klarna_payments}/{id}", self.delete)
        router.add_get("/api/{type}/{id}/{relationship}", self.related_row, allow_head=False)

    async def list_rows(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}."""
        type_name = request.match_info["type"]
        query = self._query(request, TYPES[type_name])
        faults = self._list_faults(request, type_name)
        query = _going_round(query, faults, self._list_requests)
        with self._world.lock:
            chosen = self._selections.select(type_name, query.conditions, query.sort)
            start = (query.number - 1) * query.size
            table = self._selections.table(type_name)
            rows = [table.row(int(sequence)) for sequence in chosen[start : start + query.size]]
            rows, count = _spoiled_page(rows, len(chosen), faults, self._world.mode)
            renderer = self._renderer(request, query.view)
            path = f"/{type_name}"
            document = renderer.many(rows, type_name, query=query, path=path, count=count)
            if any(fault.value == "none" for fault in faults):
                del document["meta"]["record_count"]
            return json_answer(document)

    async def list_transactions(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type} of transactions, of a whole world: meant for small ones."""
        type_name = request.match_info["type"]
        query = self._query(request, TYPES[type_name])
        with self._world.lock:
            rows = list(self._world.money.everything(type_name))
            return self._page_of(rows, request, query, f"/{type_name}")

    async def transactions_of(self, request: web.Request) -> web.Response:
        """Answer GET /api/orders/{id}/{type} of transactions."""
        type_name, id_ = request.match_info["type"], request.match_info["id"]
        query = self._query(request, TYPES[type_name])
        with self._world.lock:
            order = self._found("orders", id_)
            rows = list(self._world.money.of(order)[type_name])
            return self._page_of(rows, request, query, f"/orders/{id_}/{type_name}")

    async def one_row(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}/{id}."""
        type_name, id_ = request.match_info["type"], request.match_info["id"]
        view = self._view(request, TYPES[type_name])
        with self._world.lock:
            return json_answer(self._renderer(request, view).one(self._found(type_name, id_), type_name))

    async def related_row(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}/{id}/{relationship} of a to-one relationship; `data` is null when there is none."""
        type_name, id_, name = (request.match_info[part] for part in ("type", "id", "relationship"))
        if name not in _RELATED.get(type_name, ()):
            raise refusals.no_route()
        # What is behind a polymorphic one has the relationships of all its types.
        target = TYPES[TYPES[type_name].relationships[name].type]
        view = self._view(request, target)
        with self._world.lock:
            for found, row in related(self._world, type_name, self._found(type_name, id_), name):
                return json_answer(self._renderer(request, view).one(row, found))
            return json_answer({"data": None})

    async def create(self, request: web.Request) -> web.Response:
        """Answer POST /api/klarna_payments."""
        view = self._view(request, KLARNA_PAYMENTS)
        body = await request.read()
        with self._world.lock:
            row = create_payment(self._world, body)
            return json_answer(self._renderer(request, view).one(row, KLARNA_PAYMENTS.name), 201)

    async def patch(self, request: web.Request) -> web.Response:
        """Answer PATCH /api/klarna_payments/{id}."""
        id_ = request.match_info["id"]
        view = self._view(request, KLARNA_PAYMENTS)
        body = await request.read()
        with self._world.lock:
            row = patch_payment(self._world, id_, body)
            return json_answer(self._renderer(request, view).one(row, KLARNA_PAYMENTS.name))

    async def delete(self, request: web.Request) -> web.Response:
        """Answer DELETE /api/klarna_payments/{id}."""
        with self._world.lock:
            delete_payment(self._world, request.match_info["id"])
        return web.Response(status=204)

    def _view(self, request: web.Request, type_: ResourceType) -> View:
        parameters = read_parameters(request.rel_url.raw_query_string)
        view = read_view(parameters, type_)
        self._includes.check(parameters.get("include", ""), type_)
        return view

    def _query(self, request: web.Request, type_: ResourceType) -> ListQuery:
        query = read_list_query(read_parameters(request.rel_url.raw_query_string), type_)
        self._includes.check(query.parameters.get("include", ""), type_)
        return query

    def _found(self, type_name: str, id_: str) -> Row:
        """Return the row with this id. Raises Refusal when there is none."""
        in_orders = type_name in TRANSACTIONS
        row = self._world.money.find(type_name, id_) if in_orders else self._selections.table(type_name).find(id_)
        if row is None:
            raise refusals.not_found(id_)
        return row

    def _page_of(self, rows: list[Row], request: web.Request, query: ListQuery, path: str) -> web.Response:
        """Return a page of transactions out of all that the list has."""
        type_name = request.match_info["type"]
        table = loaded(rows, type_name, self._world.seed, ("created_at", "updated_at"))
        chosen = Selections(self._world, {type_name: table}).select(type_name, query.conditions, query.sort)
        start = (query.number - 1) * query.size
        page = [table.row(int(sequence)) for sequence in chosen[start : start + query.size]]
        renderer = self._renderer(request, query.view)
        return json_answer(renderer.many(page, type_name, query=query, path=path, count=len(chosen)))

    def _list_faults(self, request: web.Request, type_name: str) -> list[Fault]:
        """Count a list request of payments, change the world where a fault says so, return the page's own faults."""
        if type_name != "klarna_payments":
            return []
        self._list_requests += 1
        faults = self._faults.of(LISTS, self._list_requests)
        request[RECORD].faults.extend(fault.kind for fault in faults)
        for fault in faults:
            apply_change(self._world, fault, self._list_requests)
        return faults

    def _renderer(self, request: web.Request, view: View) -> Renderer:
        return self._renderers.renderer(base_of(request), view)


def _spoiled_page(rows: list[Row], count: int, faults: list[Fault], mode: str) -> tuple[list[Row], int]:
    """Return the page's rows and count with the faults that show in them."""
    for fault in faults:
        if fault.kind == "drop-row" and fault.value:
            rows = [row for row in rows if row["id"] != fault.value]
        elif fault.kind == "drop-row" and rows:
            rows = rows[: len(rows) // 2] + rows[len(rows) // 2 + 1 :]
        elif fault.kind == "wrong-mode" and rows:
            rows = [{**rows[0], "mode": "test" if mode == "live" else "live"}, *rows[1:]]
        elif fault.kind == "wrong-count":
            count = max(0, count + int(fault.value or 1))
        elif fault.kind == "absurd-count" and fault.value != "none":
            count = int(fault.value)
        elif fault.kind == "odd-id" and rows:
            middle = len(rows) // 2
            rows = [*rows[:middle], {**rows[middle], "id": _ODD_IDS[fault.value]}, *rows[middle + 1 :]]
    return rows, count


def _going_round(query: ListQuery, faults: list[Fault], number: int) -> ListQuery:
    """Return `query` with what its faults make of a keyset walk: the place it stands at is not looked at."""
    others = tuple(one for one in query.conditions if one.predicate != "gt")
    for fault in faults:
        if fault.kind in ("first-page", "circle") and len(others) < len(query.conditions):
            return replace(query, conditions=others, number=1 + number % 2 if fault.kind == "circle" else 1)
    return query
