"""
The answers about exports: create, list, look, start and interrupt, delete.

Knows requests and documents; what an export is and does is in `exports`.
"""

from __future__ import annotations

from aiohttp import web

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.bodies import read_attributes, read_data, read_relationships
from reconcile.sandbox.api.documents import Renderers
from reconcile.sandbox.api.query import View, read_list_query, read_parameters, read_view
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.api.sending import base_of, json_answer
from reconcile.sandbox.exports.exports import WRITABLE, Exports
from reconcile.sandbox.exports.plans import CREATABLE
from reconcile.sandbox.world.resources import EXPORTS
from reconcile.sandbox.world.world import World


class ExportAnswers:
    """Answers every request to `/api/exports`. The exports are brought up to date before each look."""

    def __init__(self, world: World, selections: Selections, exports: Exports, renderers: Renderers) -> None:
        self._world = world
        self._selections = selections
        self._exports = exports
        self._renderers = renderers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths that are answered here."""
        router.add_get("/api/exports", self.list_exports, allow_head=False)
        router.add_post("/api/exports", self.create)
        router.add_get("/api/exports/{id}", self.one_export, allow_head=False)
        router.add_patch("/api/exports/{id}", self.patch)
        router.add_delete("/api/exports/{id}", self.delete)

    async def list_exports(self, request: web.Request) -> web.Response:
        """Answer GET /api/exports."""
        query = read_list_query(read_parameters(request.rel_url.raw_query_string), EXPORTS)
        await self._exports.settle()
        with self._world.lock:
            chosen = self._selections.select(EXPORTS.name, query.conditions, query.sort)
            start = (query.number - 1) * query.size
            page = chosen[start : start + query.size]
            rows = [self._exports.shown(self._exports.table.row(int(sequence))) for sequence in page]
            renderer = self._renderers.renderer(base_of(request), query.view)
            return json_answer(renderer.many(rows, EXPORTS.name, query=query, path="/exports", count=len(chosen)))

    async def create(self, request: web.Request) -> web.Response:
        """Answer POST /api/exports."""
        body = await request.read()
        await self._exports.settle()
        view = _view(request)
        data = read_data(body, EXPORTS.name, None)
        read_relationships(data, ())
        id_ = self._exports.create(read_attributes(data, CREATABLE))
        return self._one(request, id_, view, status=201)

    async def one_export(self, request: web.Request) -> web.Response:
        """Answer GET /api/exports/{id}."""
        await self._exports.settle()
        view = _view(request)
        return self._one(request, self._known(request), view)

    async def patch(self, request: web.Request) -> web.Response:
        """Answer PATCH /api/exports/{id}."""
        body = await request.read()
        await self._exports.settle()
        view, id_ = _view(request), self._known(request)
        data = read_data(body, EXPORTS.name, id_)
        read_relationships(data, ())
        self._exports.change(id_, read_attributes(data, WRITABLE))
        return self._one(request, id_, view)

    async def delete(self, request: web.Request) -> web.Response:
        """Answer DELETE /api/exports/{id}."""
        await self._exports.settle()
        self._exports.delete(self._known(request))
        return web.Response(status=204)

    def _known(self, request: web.Request) -> str:
        id_ = request.match_info["id"]
        if self._exports.table.find(id_) is None:
            raise refusals.not_found(id_)
        return id_

    def _one(self, request: web.Request, id_: str, view: View, *, status: int = 200) -> web.Response:
        row = self._exports.shown(self._exports.row(id_))
        return json_answer(self._renderers.renderer(base_of(request), view).one(row, EXPORTS.name), status)


def _view(request: web.Request) -> View:
    return read_view(read_parameters(request.rel_url.raw_query_string), EXPORTS)
