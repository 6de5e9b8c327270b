"""
The answers about what happened: `event_stores` with their cursor, and the deprecated `versions`.

Follows https://docs.commercelayer.io/core-api-reference/event_stores and .../versions . A deployment has one of the
two: event stores today, with `versions` still served and empty, since none was stored after August 2025; or, before
that, versions and no event stores. What a trail holds is in `trails`.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.documents import Renderers
from reconcile.sandbox.api.query import ListQuery, View, read_cursor, read_list_query, read_parameters, read_view
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.api.sending import base_of, json_answer
from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key, id_of, sequence_of
from reconcile.sandbox.world.loading import loaded
from reconcile.sandbox.world.resources import EVENT_STORES, KLARNA_PAYMENTS, VERSIONS, ResourceType, Row
from reconcile.sandbox.world.trails import TRACKED, Event
from reconcile.sandbox.world.world import World


class TrailAnswers:
    """
    Answers every request about events. With `event_stores` False the deployment is an old one.

    Lists of what happened to the types `forbidden` are refused, as where the application's role may not read them.
    """

    def __init__(
        self,
        world: World,
        selections: Selections,
        renderers: Renderers,
        *,
        event_stores: bool,
        forbidden: Collection[str] = (),
    ) -> None:
        self._world = world
        self._selections = selections
        self._renderers = renderers
        self._event_stores = event_stores
        self._forbidden = frozenset(forbidden)
        self._version_key = id_key(world.seed, VERSIONS.name)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths that are answered here."""
        types = "|".join(self._selections.types)
        router.add_get(f"/api/{{type:{types}}}/{{id}}/event_stores", self.events_of, allow_head=False)
        router.add_get("/api/event_stores/{id}", self.one_event, allow_head=False)
        router.add_get(f"/api/{{type:{'|'.join(TRACKED)}}}/{{id}}/versions", self.versions_of, allow_head=False)
        router.add_get("/api/versions", self.versions, allow_head=False)
        router.add_get("/api/versions/{id}", self.one_version, allow_head=False)

    async def events_of(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}/{id}/event_stores: a page behind the cursor, oldest events first."""
        self._check_event_stores()
        self._check_role(request)
        parameters = read_parameters(request.rel_url.raw_query_string)
        size, after = read_cursor(parameters)
        view = read_view(parameters, EVENT_STORES)
        with self._world.lock:
            events = self._events_of(request)
        start = 0 if after is None else _place_behind(events, after)
        page = events[start : start + size]
        renderer = self._renderers.renderer(base_of(request), view)
        following = None
        if start + size < len(events):
            cursor = {**parameters, "page[after]": _cursor(page[-1]), "page[size]": str(size)}
            following = f"{base_of(request).removesuffix('/api')}{request.path}?{urlencode(cursor)}"
        rows = [self._event_row(event) for event in page]
        return json_answer(renderer.cursor_page(rows, EVENT_STORES.name, following))

    async def one_event(self, request: web.Request) -> web.Response:
        """Answer GET /api/event_stores/{id}."""
        self._check_event_stores()
        view = _view(request, EVENT_STORES)
        with self._world.lock:
            event = self._world.trails.find(request.match_info["id"])
        if event is None:
            raise refusals.not_found(request.match_info["id"])
        document = self._renderers.renderer(base_of(request), view).one(self._event_row(event), EVENT_STORES.name)
        return json_answer(document)

    async def versions_of(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}/{id}/versions."""
        self._check_role(request)
        query = read_list_query(read_parameters(request.rel_url.raw_query_string), VERSIONS)
        with self._world.lock:
            events = self._events_of(request)
        return self._versions(request, query, events, request.path.removeprefix("/api"))

    async def versions(self, request: web.Request) -> web.Response:
        """Answer GET /api/versions, of a whole world: meant for small ones."""
        query = read_list_query(read_parameters(request.rel_url.raw_query_string), VERSIONS)
        with self._world.lock:
            events = () if self._event_stores else tuple(self._world.trails.everything())
        return self._versions(request, query, events, "/versions")

    async def one_version(self, request: web.Request) -> web.Response:
        """Answer GET /api/versions/{id}."""
        id_ = request.match_info["id"]
        view = _view(request, VERSIONS)
        code = sequence_of(self._version_key, id_)
        with self._world.lock:
            events = () if self._event_stores or code is None else self._world.trails.coded(code)
        rows = self._version_rows(events)
        if not rows:
            raise refusals.not_found(id_)
        return json_answer(self._renderers.renderer(base_of(request), view).one(rows[0], VERSIONS.name))

    def _versions(self, request: web.Request, query: ListQuery, events: Iterable[Event], path: str) -> web.Response:
        rows = [] if self._event_stores else self._version_rows(events)
        table = loaded(rows, VERSIONS.name, self._world.seed, ("created_at", "updated_at"))
        chosen = Selections(self._world, {VERSIONS.name: table}).select(VERSIONS.name, query.conditions, query.sort)
        start = (query.number - 1) * query.size
        page = [table.row(int(sequence)) for sequence in chosen[start : start + query.size]]
        renderer = self._renderers.renderer(base_of(request), query.view)
        return json_answer(renderer.many(page, VERSIONS.name, query=query, path=path, count=len(chosen)))

    def _events_of(self, request: web.Request) -> list[Event]:
        type_name, id_ = request.match_info["type"], request.match_info["id"]
        if self._selections.table(type_name).find(id_) is None:
            raise refusals.not_found(id_)
        return self._world.trails.of(type_name, id_)

    def _check_event_stores(self) -> None:
        if not self._event_stores:
            raise refusals.no_route()

    def _check_role(self, request: web.Request) -> None:
        if request.match_info["type"] in self._forbidden:
            raise refusals.unauthorized()

    def _event_row(self, event: Event) -> Row:
        payload = {name: {"from": old, "to": new} for name, (old, new) in self._shown(event)}
        return {
            **_common(event),
            "id": event.id,
            "payload": payload,
            "reference": {},  # as recorded from the real one, which declares a string
            "reference_origin": {},
        }

    def _version_rows(self, events: Iterable[Event]) -> list[Row]:
        return [
            {
                **_common(event),
                "id": id_of(self._version_key, event.code),
                "changes": {name: [old, new] for name, (old, new) in self._shown(event)},
            }
            for event in events
            if event.step.event != "create"
        ]

    def _shown(self, event: Event) -> Iterable[tuple[str, tuple[Any, Any]]]:
        """Yield the changes as they are shown: credentials carry the canary."""
        canary = self._world.canary
        for name, (old, new) in event.step.changes.items():
            yield (
                name,
                (old, f"{canary}-{new}" if canary is not None and new and name in KLARNA_PAYMENTS.secrets else new),
            )


def _common(event: Event) -> Row:
    moment = times.to_text(event.step.at)
    return {
        "resource_type": event.resource_type,
        "resource_id": event.resource_id,
        "event": event.step.event,
        "who": event.who,
        "created_at": moment,
        "updated_at": moment,
        "metadata": {},
    }


def _view(request: web.Request, type_: ResourceType) -> View:
    return read_view(read_parameters(request.rel_url.raw_query_string), type_)


def _cursor(event: Event) -> str:
    """Return the cursor behind an event: opaque, with characters that have to be encoded in a query."""
    return base64.b64encode(f'{{"after":"{event.id}"}}'.encode()).decode()


def _place_behind(events: list[Event], cursor: str) -> int:
    """Return where the page behind `cursor` begins. Refuses a cursor of no event of this trail."""
    for place, event in enumerate(events, 1):
        if _cursor(event) == cursor:
            return place
    raise refusals.invalid_page("after", cursor)
