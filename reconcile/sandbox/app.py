"""
The stand-in's HTTP face: routes, the order of checks, and faults carried out.

A request is counted, limited, met by its faults, authenticated, answered. Strict where the vendor's documents are,
and on the awkward side where they are silent: a limit of the edge is answered in plain text, a token dies without
notice, `Accept: */*` is not acceptable.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from reconcile.sandbox import answers, sending
from reconcile.sandbox.answers import Refusal
from reconcile.sandbox.changes import apply_change
from reconcile.sandbox.documents import Renderer, related
from reconcile.sandbox.faults import ANSWERS, LISTS, TOKENS, Fault, Faults, chance, milliseconds
from reconcile.sandbox.limits import DOCUMENTED, Admission, Limits, RateLimiter
from reconcile.sandbox.patching import patch_payment
from reconcile.sandbox.query import read_list_query, read_parameters, read_view
from reconcile.sandbox.resources import MEDIA_TYPE, TYPES
from reconcile.sandbox.seed import World
from reconcile.sandbox.selection import Selections
from reconcile.sandbox.tokens import (
    CLIENT_ID,
    CLIENT_SECRET,
    SALES_CHANNEL_ID,
    SALES_CHANNEL_SECRET,
    Client,
    TokenDesk,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LISTED = ("klarna_payments", "orders", "klarna_gateways", "payment_gateways")
_RELATED = {
    "klarna_payments": {"order": "orders", "payment_gateway": "klarna_gateways"},
    "orders": {"payment_source": "klarna_payments", "payment_method": "payment_methods"},
    "payment_methods": {"payment_gateway": "klarna_gateways"},
}


@dataclass(slots=True)
class RequestRecord:
    """One request as it came in; `status` is 0 until it is answered, and stays so when it never is."""

    method: str
    path: str
    query: dict[str, str]
    arrived_at: float
    """Seconds on the server's monotonic clock."""
    authorized: bool
    """Whether an Authorization header was sent; never its content."""
    accept: str | None
    user_agent: str | None
    status: int = 0
    body_bytes: int = 0
    faults: list[str] = field(default_factory=list)


class Sandbox:
    """One world on HTTP. Counters start at 1 with the first request."""

    def __init__(
        self,
        world: World,
        *,
        faults: Faults,
        limits: Limits | None,
        desk: TokenDesk,
        clock: Callable[[], float],
        requests: list[RequestRecord] | None,
    ) -> None:
        self.world = world
        self.requests = requests
        self._faults = faults
        self._limits = limits
        self._limiter = None if limits is None else RateLimiter(limits, clock=clock)
        self._desk = desk
        self._clock = clock
        self._selections = Selections(world)
        self._api_requests = 0
        self._list_requests = 0
        self._token_requests = 0

    # The way of a request ------------------------------------------------------------------------------------------

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /oauth/token."""
        record = self._record(request)
        if self._limiter is not None:
            admission = self._limiter.admit_token(request.remote or "")
            if not admission.allowed:
                return self._sent(record, self._too_many(admission))
        self._token_requests += 1
        for fault in self._faults.of(TOKENS, self._token_requests):
            if fault.kind != "short-token":
                record.faults.append(fault.kind)
                return self._sent(record, sending.token_fault(request, fault))
        status, body = self._desk.grant(await _token_request(request))
        return self._sent(record, _json(body, status, content_type="application/json"))

    async def api(self, request: web.Request, answer: Handler) -> web.StreamResponse:
        """Take one API request through record, limits, faults and errors to `answer`."""
        record = self._record(request)
        headers: dict[str, str] = {}
        if self._limiter is not None:
            endpoint = request.path.split("/")[2] if request.path.count("/") > 1 else ""
            writes = request.method in _WRITES
            admission = self._limiter.admit_request(request.remote or "", writes=writes, endpoint=endpoint)
            headers = admission.headers()
            if not admission.allowed:
                return self._sent(record, self._too_many(admission))
        self._api_requests += 1
        faults = self._faults.of(ANSWERS, self._api_requests)
        record.faults.extend(fault.kind for fault in faults)
        early = await self._before(request, faults, self._api_requests)
        if early is not None:
            early.headers.update(headers)
            return self._sent(record, early)
        response = await self._answered(request, answer)
        response.headers.update(headers)
        for fault in faults:
            if fault.kind in sending.SPOILERS:
                return self._sent(record, await sending.spoil(request, response, fault))
        return self._sent(record, response)

    async def _before(self, request: web.Request, faults: list[Fault], number: int) -> web.Response | None:
        """Carry out the faults that need no answer; return what is sent instead of one, if anything is."""
        for fault in faults:
            if fault.kind == "latency":
                draw = chance(f"{self._faults.seed}/milliseconds/{number}")
                await sending.pause(milliseconds(fault.value, draw) / 1000)
            elif fault.kind == "revoke":
                self._desk.revoke_all()
        for fault in faults:
            early = await sending.instead(request, fault, chance(f"{self._faults.seed}/status/{number}"))
            if early is not None:
                return early
        return None

    async def _answered(self, request: web.Request, answer: Handler) -> web.Response:
        try:
            self._admit(request)
            response = await answer(request)
        except Refusal as refusal:
            return _json(refusal.document(), refusal.status)
        except web.HTTPNotFound:
            refusal = answers.no_route()
            return _json(refusal.document(), refusal.status)
        except web.HTTPMethodNotAllowed as error:
            refusal = answers.method_not_allowed(request.method)
            response = _json(refusal.document(), refusal.status)
            response.headers["Allow"] = ",".join(sorted(error.allowed_methods))
            return response
        assert isinstance(response, web.Response)
        return response

    def _admit(self, request: web.Request) -> None:
        """Check token, rights and media types, in this order. Raises Refusal."""
        kind = self._desk.kind_of(request.headers.get("Authorization"))
        if kind is None:
            raise answers.invalid_token()
        if kind == "sales_channel":
            # It lists nothing that is served here, and owns none of the rows.
            raise answers.unauthorized()
        accept = request.headers.get("Accept")
        if MEDIA_TYPE not in [part.strip() for part in (accept or "").split(",")]:
            raise answers.not_acceptable(accept)
        if request.method in {"POST", "PATCH", "PUT"} and request.headers.get("Content-Type") != MEDIA_TYPE:
            raise answers.unsupported_media_type(request.headers.get("Content-Type"))

    def _record(self, request: web.Request) -> RequestRecord:
        record = RequestRecord(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            arrived_at=self._clock(),
            authorized="Authorization" in request.headers,
            accept=request.headers.get("Accept"),
            user_agent=request.headers.get("User-Agent"),
        )
        if self.requests is not None:
            self.requests.append(record)
        return record

    def _sent(self, record: RequestRecord, response: web.StreamResponse) -> web.StreamResponse:
        if not isinstance(response, sending.NoAnswer):
            record.status = response.status
            body = response.body if isinstance(response, web.Response) else None
            record.body_bytes = len(body) if isinstance(body, bytes) else 0
        return response

    def _too_many(self, admission: Admission) -> web.Response:
        assert self._limits is not None
        headers = admission.headers()
        if self._limits.retry_after:
            headers["Retry-After"] = str(int(admission.wait_seconds) + 1)
        return sending.too_many(headers, json_body=self._limits.json_body)

    # Answers -------------------------------------------------------------------------------------------------------

    async def list_rows(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}."""
        type_name = request.match_info["type"]
        query = read_list_query(read_parameters(request.rel_url.raw_query_string), TYPES[type_name])
        faults = self._list_faults(type_name)
        with self.world.lock:
            chosen = self._selections.select(type_name, query.conditions, query.sort)
            start = (query.number - 1) * query.size
            table = self._selections.table(type_name)
            rows = [table.row(int(sequence)) for sequence in chosen[start : start + query.size]]
            rows, count = _spoiled_page(rows, len(chosen), faults, self.world.mode)
            renderer = self._renderer(request, query.view)
            path = f"/{type_name}"
            return _json(renderer.many(rows, type_name, query=query, path=path, count=count))

    async def one_row(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}/{id}."""
        type_name, id_ = request.match_info["type"], request.match_info["id"]
        view = read_view(read_parameters(request.rel_url.raw_query_string), TYPES[type_name])
        with self.world.lock:
            row = self._selections.table(type_name).find(id_)
            if row is None:
                raise answers.not_found(id_)
            return _json(self._renderer(request, view).one(row, type_name))

    async def related_row(self, request: web.Request) -> web.Response:
        """Answer GET /api/{type}/{id}/{relationship} of a to-one relationship; `data` is null when there is none."""
        type_name, id_, name = (request.match_info[part] for part in ("type", "id", "relationship"))
        target = _RELATED.get(type_name, {}).get(name)
        if target is None:
            raise answers.no_route()
        view = read_view(read_parameters(request.rel_url.raw_query_string), TYPES[target])
        with self.world.lock:
            row = self._selections.table(type_name).find(id_)
            if row is None:
                raise answers.not_found(id_)
            other = related(self.world, row, name)
            return _json({"data": None} if other is None else self._renderer(request, view).one(other, target))

    async def patch(self, request: web.Request) -> web.Response:
        """Answer PATCH /api/klarna_payments/{id}."""
        id_ = request.match_info["id"]
        view = read_view(read_parameters(request.rel_url.raw_query_string), TYPES["klarna_payments"])
        body = await request.read()
        with self.world.lock:
            row = patch_payment(self.world, id_, body)
            return _json(self._renderer(request, view).one(row, "klarna_payments"))

    def _list_faults(self, type_name: str) -> list[Fault]:
        """Count a list request of payments, change the world where a fault says so, return the page's own faults."""
        if type_name != "klarna_payments":
            return []
        self._list_requests += 1
        faults = self._faults.of(LISTS, self._list_requests)
        for fault in faults:
            apply_change(self.world, fault, self._list_requests)
        return faults

    def _renderer(self, request: web.Request, view: Any) -> Renderer:
        trace_id = hashlib.sha256(f"{self.world.seed}/{self._api_requests}".encode()).hexdigest()
        return Renderer(self.world, base=f"{request.scheme}://{request.host}/api", trace_id=trace_id, view=view)


def make_app(
    world: World,
    *,
    faults: Faults | None = None,
    limits: Limits | None = DOCUMENTED,
    token_lifetime_seconds: int = 7200,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    requests: list[RequestRecord] | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> web.Application:
    """
    Return the application that serves `world`: the API under `/api`, tokens at `/oauth/token`.

    `limits` are given for live mode and halved in test mode; None switches them off, headers too. Every request is
    appended to `requests` where a list is given.
    """
    faults = faults or Faults()
    dying = [fault for fault in faults.rules if fault.kind == "short-token"]
    desk = TokenDesk(
        world,
        (
            Client(client_id, client_secret, "integration"),
            Client(SALES_CHANNEL_ID, SALES_CHANNEL_SECRET, "sales_channel"),
        ),
        lifetime_seconds=token_lifetime_seconds,
        dies_after_seconds=float(dying[0].value) if dying else None,
        clock=clock,
        wall_clock=wall_clock,
    )
    own_limits = None if limits is None else limits.for_mode(world.mode)
    sandbox = Sandbox(world, faults=faults, limits=own_limits, desk=desk, clock=clock, requests=requests)

    @web.middleware
    async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/api" or request.path.startswith("/api/"):
            return await sandbox.api(request, handler)
        return await handler(request)

    app = web.Application(middlewares=[through])
    types = "|".join(_LISTED)
    app.router.add_post("/oauth/token", sandbox.token)
    app.router.add_get(f"/api/{{type:{types}}}", sandbox.list_rows, allow_head=False)
    app.router.add_get(f"/api/{{type:{types}|payment_methods}}/{{id}}", sandbox.one_row, allow_head=False)
    app.router.add_patch("/api/{type:klarna_payments}/{id}", sandbox.patch)
    app.router.add_get("/api/{type}/{id}/{relationship}", sandbox.related_row, allow_head=False)
    return app


def _spoiled_page(
    rows: list[dict[str, Any]], count: int, faults: list[Fault], mode: str
) -> tuple[list[dict[str, Any]], int]:
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
    return rows, count


async def _token_request(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: str(value) for name, value in (await request.post()).items()}
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _json(body: dict[str, Any], status: int = 200, *, content_type: str = MEDIA_TYPE) -> web.Response:
    headers = {"Content-Type": f"{content_type}; charset=utf-8"}
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers)
