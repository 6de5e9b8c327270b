"""
The stand-in's HTTP face: `make_app` puts a world, faults and limits together, and the rooms that answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from aiohttp import web
from aiohttp.typedefs import Middleware

from reconcile.sandbox.api.documents import Renderers
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.api.frontdoor import FrontDoor, Handler, RequestRecord
from reconcile.sandbox.api.limits import DOCUMENTED, Limits
from reconcile.sandbox.api.organization import OrganizationAnswers
from reconcile.sandbox.api.rows import RowAnswers
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.api.sending import finish_headers
from reconcile.sandbox.api.tokens import (
    CLIENT_ID,
    CLIENT_SECRET,
    SALES_CHANNEL_ID,
    SALES_CHANNEL_SECRET,
    Client,
    TokenDesk,
)
from reconcile.sandbox.api.trails import TrailAnswers
from reconcile.sandbox.exports.answers import ExportAnswers
from reconcile.sandbox.exports.exports import ExportRules, Exports
from reconcile.sandbox.exports.storage import Storage
from reconcile.sandbox.world.resources import EXPORTS
from reconcile.sandbox.world.world import World

Clock = Callable[[], float]

STORAGE = web.AppKey("storage", Storage)
"""Where the application keeps the storage that serves the files of its exports."""


def make_app(
    world: World,
    *,
    faults: Faults | None = None,
    limits: Limits | None = DOCUMENTED,
    token_lifetime_seconds: int = 7200,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    exports: ExportRules | None = None,
    event_stores: bool = True,
    uncrossed: Collection[str] = (),
    requests: list[RequestRecord] | None = None,
    storage_requests: list[RequestRecord] | None = None,
    clock: Clock = time.monotonic,
    wall_clock: Clock = time.time,
) -> web.Application:
    """
    Return the application that serves `world`: the API under `/api`, tokens at `/oauth/token`.

    `limits` are given for live mode and halved in test mode; None switches them off, headers too. With `event_stores`
    False there are `versions` instead. No filter, of a list or an export, may cross a relationship of `uncrossed`.
    Every request is appended to `requests` where a list is given. The files of exports are served by another
    application, on an origin of its own: `app[STORAGE]` answers there, must be told its address, and appends to
    `storage_requests`.
    """
    faults = faults or Faults()
    clients = (
        Client(client_id, client_secret, "integration"),
        Client(SALES_CHANNEL_ID, SALES_CHANNEL_SECRET, "sales_channel"),
    )
    desk = TokenDesk(
        world,
        clients,
        lifetime_seconds=token_lifetime_seconds,
        dies_after_seconds=_token_life(faults),
        clock=clock,
        wall_clock=wall_clock,
    )
    own_limits = None if limits is None else limits.for_mode(world.mode)
    door = FrontDoor(faults=faults, limits=own_limits, desk=desk, clock=clock, wall_clock=wall_clock, requests=requests)
    rules = _in_time(exports or ExportRules(), limits)
    rules = replace(rules, uncrossed=(*rules.uncrossed, *uncrossed))
    storage = Storage(
        faults=faults,
        url_seconds=rules.url_seconds,
        time_scale=rules.scale,
        clock=clock,
        wall_clock=wall_clock,
        requests=storage_requests,
    )
    jobs = Exports(world, rules, storage, faults=faults, clock=clock, wall_clock=wall_clock)

    app = web.Application(middlewares=[_through(door)])
    app.on_response_prepare.append(finish_headers)
    app[STORAGE] = storage
    app.router.add_post("/oauth/token", door.token)
    selections = Selections(world, {EXPORTS.name: jobs.table}, uncrossed=uncrossed)
    renderers = Renderers(world)
    OrganizationAnswers(world, renderers, concurrent_exports=rules.concurrent).add_routes(app.router)
    ExportAnswers(world, selections, jobs, renderers).add_routes(app.router)
    TrailAnswers(world, selections, renderers, event_stores=event_stores).add_routes(app.router)
    RowAnswers(world, selections, faults, renderers).add_routes(app.router)
    return app


def _token_life(faults: Faults) -> float | None:
    """Return how long a token really lives, None for as long as it says."""
    return next((float(fault.value) for fault in faults.rules if fault.kind == "short-token"), None)


def _in_time(rules: ExportRules, limits: Limits | None) -> ExportRules:
    """Return `rules` with a time scale: its own, or that of the limits."""
    if rules.time_scale is not None:
        return rules
    return replace(rules, time_scale=1.0 if limits is None else limits.time_scale)


def _through(door: FrontDoor) -> Middleware:
    """Return the middleware that takes every API request, of a path that is or is not there, through `door`."""

    @web.middleware
    async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/api" or request.path.startswith("/api/"):
            return await door.api(request, handler)
        return await handler(request)

    return through
