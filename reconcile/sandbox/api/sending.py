"""
How an answer goes wrong on its way: resets, cut bodies, stalls, pages of a gateway.

A connection is reset with RST (SO_LINGER 0), as a crashed proxy
would, and closed with FIN where a body is merely cut short.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from email.utils import formatdate

import msgspec
from aiohttp import web

from reconcile.sandbox.api.faults import Fault
from reconcile.sandbox.world.resources import MEDIA_TYPE

_HUGE = frozenset({"huge", "huge-packed", "huge-error", "token-huge"})
SPOILERS = frozenset({"reset-body", "truncate", "stall-body", "invalid-json", "html"}) | _HUGE
"""Faults that need the answer they spoil."""

_GATEWAY_STATUSES = (500, 502, 503, 504)
_HTML = (
    "<!DOCTYPE html><html><head><title>{title}</title></head>"
    "<body><center><h1>{title}</h1></center><hr><center>edge</center></body></html>"
)


_MEGABYTE_OF_NOTHING = b" " * 1024 * 1024

_NO_DATE = ""
"""Stands for a header Date that is left out: `finish_headers`."""


class NoAnswer(web.Response):
    """Stands for an answer that was never sent, or not to its end; the connection is gone already."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write nothing."""
        self._eof_sent = True

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def json_answer(body: dict[str, object], status: int = 200, *, content_type: str = MEDIA_TYPE) -> web.Response:
    """Return a JSON body with its status."""
    headers = {"Content-Type": f"{content_type}; charset=utf-8"}
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers)


def base_of(request: web.Request) -> str:
    """Return the address of the API as the client of `request` sees it."""
    return f"{request.scheme}://{request.host}/api"


async def pause(seconds: float) -> None:
    """Wait, as a slow network does."""
    await asyncio.sleep(seconds)


def too_many(headers: dict[str, str], *, json_body: bool = False) -> web.Response:
    """Return a 429 as the edge sends it: plain text, unless `json_body`."""
    if json_body:
        error = {"title": "Too many requests", "detail": "Rate limit exceeded.", "code": "RATE_LIMIT", "status": "429"}
        return web.json_response({"errors": [error]}, status=429, headers=headers)
    return web.Response(text="Too Many Requests\n", status=429, headers=headers)


def http_date(seconds: float) -> str:
    """Return the header Date of `seconds` since 1970."""
    return formatdate(seconds, usegmt=True)


def tell_time(response: web.Response, value: str, now: float) -> None:
    """Put another time into the header Date: `value` seconds from `now`, none, or one that nobody can read."""
    told = {"none": _NO_DATE, "odd": "yesterday, about noon"}
    response.headers["Date"] = told[value] if value in told else http_date(now + int(value))


def garble(response: web.Response, value: str) -> None:
    """Put into the payment methods of a page what no string can hold."""
    if isinstance(response.body, bytes):
        unreadable = b"\xff" if value == "utf8" else rb"\ud83d"
        response.body = response.body.replace(b'"identifier":"', b'"identifier":"' + unreadable)


async def finish_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Take out the header Date where none is to be sent: the server would add its own."""
    if response.headers.get("Date") == _NO_DATE:
        del response.headers["Date"]


async def instead(request: web.Request, fault: Fault, draw: float) -> web.Response | None:
    """Return what is sent in place of an answer for this fault, None when it is not of that sort."""
    match fault.kind:
        case "5xx":
            return _gateway_page(int(fault.value or _GATEWAY_STATUSES[int(draw * len(_GATEWAY_STATUSES))]))
        case "429":
            return too_many({"Retry-After": fault.value} if fault.value else {})
        case "reset":
            return reset(request)
        case "stall":
            await _stall()
    return None


def token_fault(request: web.Request, fault: Fault) -> web.Response:
    """Return what the token endpoint sends for one of its faults."""
    if fault.kind == "token-reset":
        return reset(request)
    return _gateway_page(503 if fault.kind == "token-5xx" else 200)


def after_write(request: web.Request, response: web.Response, fault: Fault) -> web.Response:
    """Return what is sent in place of `response` when the write was carried out."""
    if fault.kind == "write-lost":
        return reset(request)
    if fault.kind == "write-5xx":
        return _gateway_page(502)
    return web.Response(status=204) if response.status == 200 and request.method == "PATCH" else response


async def spoil(request: web.Request, response: web.Response, fault: Fault) -> web.StreamResponse:
    """Send `response` as the fault has it and return what there is to say of it."""
    body = response.body if isinstance(response.body, bytes) else b""
    if fault.kind in _HUGE:
        return await _send_huge(request, response, fault)
    if fault.kind == "html":
        return _gateway_page(200)
    if fault.kind == "invalid-json":
        response.body = body[: len(body) * 2 // 3] + b"\x00}"
        return response
    sent = web.StreamResponse(status=response.status, headers=response.headers)
    sent.content_length = len(body)
    await sent.prepare(request)
    await sent.write(body[: len(body) // 2])
    if fault.kind == "stall-body":
        await _stall()
    if fault.kind == "reset-body":
        return reset(request)
    if request.transport is not None:
        request.transport.close()
    return NoAnswer()


async def _send_huge(request: web.Request, response: web.Response, fault: Fault) -> web.StreamResponse:
    """Send `response` behind so many megabytes of white space, however soon the client has had enough."""
    body = response.body if isinstance(response.body, bytes) else b""
    sent = web.StreamResponse(status=503 if fault.kind == "huge-error" else response.status, headers=response.headers)
    sent.headers.popall("Content-Length", None)
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS) if fault.kind == "huge-packed" else None
    if packer is not None:
        sent.headers["Content-Encoding"] = "gzip"
    try:
        await sent.prepare(request)
        for piece in [_MEGABYTE_OF_NOTHING] * int(fault.value) + [body]:
            await sent.write(packer.compress(piece) if packer is not None else piece)
        if packer is not None:
            await sent.write(packer.flush())
        await sent.write_eof()
    except ConnectionError:
        return NoAnswer()
    return sent


def reset(request: web.Request) -> NoAnswer:
    """Reset the connection of `request`."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return NoAnswer()


async def _stall() -> None:
    """Wait until the client gives up: the server cancels the handler then."""
    await asyncio.Event().wait()


def _gateway_page(status: int) -> web.Response:
    titles = {200: "Welcome", 500: "500 Internal Server Error", 502: "502 Bad Gateway", 503: "503 Service Unavailable"}
    title = titles.get(status, f"{status} Gateway Time-out")
    return web.Response(text=_HTML.format(title=title), status=status, content_type="text/html")
