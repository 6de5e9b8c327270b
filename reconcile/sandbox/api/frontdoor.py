"""
The way of a request before and after its answer: recorded, limited, met by its faults, admitted, sent.

Strict where the vendor's documents are, and on the awkward side where they are silent: a limit of the edge is
answered in plain text, a token dies without notice, `Accept: */*` is not acceptable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from reconcile.sandbox.api import refusals, sending
from reconcile.sandbox.api.faults import ANSWERS, ODDITIES, TOKENS, WRITES, Fault, Faults, chance, milliseconds
from reconcile.sandbox.api.limits import Admission, Limits, RateLimiter
from reconcile.sandbox.api.refusals import Refusal
from reconcile.sandbox.api.tokens import TokenDesk
from reconcile.sandbox.world.resources import MEDIA_TYPE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(slots=True)
class RequestRecord:
    """One request as it came in; `status` is 0 until it is answered, and stays so when it never is in full."""

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

    @classmethod
    def of(cls, request: web.Request, arrived_at: float) -> RequestRecord:
        """Return the record of a request that has just come in."""
        return cls(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            arrived_at=arrived_at,
            authorized="Authorization" in request.headers,
            accept=request.headers.get("Accept"),
            user_agent=request.headers.get("User-Agent"),
        )


RECORD = web.RequestKey("record", RequestRecord)
"""Where a request carries its record."""


class FrontDoor:
    """What every request passes. Requests are counted from 1."""

    def __init__(
        self,
        *,
        faults: Faults,
        limits: Limits | None,
        desk: TokenDesk,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        requests: list[RequestRecord] | None,
    ) -> None:
        self._requests = requests
        self._wall_clock = wall_clock
        self._faults = faults
        self._limits = limits
        self._limiter = None if limits is None else RateLimiter(limits, clock=clock)
        self._desk = desk
        self._clock = clock
        self._api_requests = 0
        self._token_requests = 0
        self._writes = 0

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /oauth/token."""
        record = self._record(request)
        if self._limiter is not None:
            admission = self._limiter.admit_token(request.remote or "")
            if not admission.allowed:
                return self._sent(record, self._too_many(admission))
        self._token_requests += 1
        for fault in self._faults.of(TOKENS, self._token_requests):
            if fault.kind not in ("short-token", "token-huge", "token-odd"):
                record.faults.append(fault.kind)
                return self._sent(record, sending.token_fault(request, fault))
        status, body = self._desk.grant(await _token_request(request))
        if status == 200 and self._faults.of(["token-odd"], self._token_requests):
            body["access_token"] = f"{body['access_token']}\r\nX-Injected: 1"
        response = sending.json_answer(body, status, content_type="application/json")
        for fault in self._faults.of(["token-huge"], self._token_requests):
            return self._sent(record, await sending.spoil(request, response, fault))
        return self._sent(record, response)

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
        faults = self._faults.of({**ANSWERS, **ODDITIES}, self._api_requests)
        record.faults.extend(fault.kind for fault in faults)
        early = await self._before(request, faults, self._api_requests)
        if early is not None:
            early.headers.update(headers)
            return self._sent(record, early)
        response = await self._answered(request, answer)
        if request.method in _WRITES:
            response = await self._after_write(request, response)
        response.headers.update(headers)
        for fault in faults:
            if fault.kind == "date":
                sending.tell_time(response, fault.value, self._wall_clock())
            elif fault.kind == "garbled":
                sending.garble(response, fault.value)
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

    async def _after_write(self, request: web.Request, response: web.Response) -> web.Response:
        """Return what is sent after a write: its answer, unless a fault of writes has it otherwise."""
        self._writes += 1
        faults = self._faults.of(WRITES, self._writes)
        request[RECORD].faults.extend(fault.kind for fault in faults)
        for fault in faults:
            if fault.kind == "write-late":
                await sending.pause(float(fault.value or 1000) / 1000)
            else:
                response = sending.after_write(request, response, fault)
        return response

    async def _answered(self, request: web.Request, answer: Handler) -> web.Response:
        try:
            self._admit(request)
            response = await answer(request)
        except Refusal as refusal:
            return _refused(refusal)
        except web.HTTPNotFound:
            return _refused(refusals.no_route())
        except web.HTTPMethodNotAllowed as error:
            refused = _refused(refusals.method_not_allowed(request.method))
            refused.headers["Allow"] = ",".join(sorted(error.allowed_methods))
            return refused
        assert isinstance(response, web.Response)
        return response

    def _admit(self, request: web.Request) -> None:
        """Check token, rights and media types, in this order. Raises Refusal."""
        kind = self._desk.kind_of(request.headers.get("Authorization"))
        if kind is None:
            raise refusals.invalid_token()
        if kind == "sales_channel":
            # It lists nothing that is served here, and owns none of the rows.
            raise refusals.unauthorized()
        accept = request.headers.get("Accept")
        if MEDIA_TYPE not in [part.strip() for part in (accept or "").split(",")]:
            raise refusals.not_acceptable(accept)
        if request.method in {"POST", "PATCH", "PUT"} and request.headers.get("Content-Type") != MEDIA_TYPE:
            raise refusals.unsupported_media_type(request.headers.get("Content-Type"))

    def _record(self, request: web.Request) -> RequestRecord:
        record = RequestRecord.of(request, self._clock())
        request[RECORD] = record
        if self._requests is not None:
            self._requests.append(record)
        return record

    def _sent(self, record: RequestRecord, response: web.StreamResponse) -> web.StreamResponse:
        if not isinstance(response, sending.NoAnswer):
            response.headers.setdefault("Date", sending.http_date(self._wall_clock()))
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


async def _token_request(request: web.Request) -> dict[str, object]:
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: str(value) for name, value in (await request.post()).items()}
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, object])
    except msgspec.DecodeError:
        return {}


def _refused(refusal: Refusal) -> web.Response:
    return sending.json_answer(refusal.document(), refusal.status)
