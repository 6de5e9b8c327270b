"""
The stand-in's HTTP face: `make_app` puts a world, faults and limits together, and the rooms that answer.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.documents import Renderers
from reconcile.sandbox.api.frontdoor import FrontDoor, Handler, RequestRecord
from reconcile.sandbox.api.organization import OrganizationAnswers
from reconcile.sandbox.api.rows import RowAnswers
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.api.sending import finish_headers
from reconcile.sandbox.api.trails import TrailAnswers
from reconcile.sandbox.exports.answers import ExportAnswers
from reconcile.sandbox.exports.exports import Exports
from reconcile.sandbox.exports.storage import Storage
from reconcile.sandbox.world.resources import EXPORTS
from reconcile.sandbox.world.world import World

STORAGE = web.AppKey("storage", Storage)
"""Where the application keeps the storage that serves the files of its exports."""


def make_app(
    world: World,
    behaviour: Behaviour,
    *,
    requests: list[RequestRecord] | None = None,
    storage_requests: list[RequestRecord] | None = None,
) -> web.Application:
    """
    Return the application that serves `world`: the API under `/api`, tokens at `/oauth/token`.

    Every request is appended to `requests` where a list is given. The files of exports are served by another
    application, on an origin of its own: `app[STORAGE]` answers there, must be given its address, and appends to
    `storage_requests`.
    """
    faults, clock, wall_clock = behaviour.faults, behaviour.clock, behaviour.wall_clock
    door = FrontDoor(
        faults=faults,
        limits=None if behaviour.limits is None else behaviour.limits.for_mode(world.mode),
        desk=behaviour.desk(world),
        clock=clock,
        wall_clock=wall_clock,
        requests=requests,
    )
    rules = behaviour.export_rules
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
    _add_answers(app, world, behaviour, jobs)
    return app


def _add_answers(app: web.Application, world: World, behaviour: Behaviour, jobs: Exports) -> None:
    """Have every resource of the API answered by its room."""
    selections = Selections(world, {EXPORTS.name: jobs.table}, uncrossed=behaviour.uncrossed)
    renderers = Renderers(world)
    OrganizationAnswers(world, renderers, concurrent_exports=behaviour.exports.concurrent).add_routes(app.router)
    ExportAnswers(world, selections, jobs, renderers).add_routes(app.router)
    TrailAnswers(
        world, selections, renderers, event_stores=behaviour.event_stores, forbidden=behaviour.forbidden_trails
    ).add_routes(app.router)
    RowAnswers(world, selections, behaviour.faults, renderers, includes=behaviour.includes).add_routes(app.router)


def _through(door: FrontDoor) -> Middleware:
    """Return the middleware that takes every API request, of a path that is or is not there, through `door`."""

    @web.middleware
    async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/api" or request.path.startswith("/api/"):
            return await door.api(request, handler)
        return await handler(request)

    return through
