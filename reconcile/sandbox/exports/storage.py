"""
The storage behind the exports, on an origin of its own: pre-signed URLs and the answers of an object store.

After https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html : a URL is good for its own path and
query until it expires; an `Authorization` header beside the signature is a 400; errors are XML; `Range` and
`If-Match` work, the file is not content-encoded. There is no rate limit.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import parse_qsl, quote, urlencode
from xml.sax.saxutils import escape

from aiohttp import web

from reconcile.sandbox.api import sending
from reconcile.sandbox.api.faults import STORAGE, Fault, Faults, When
from reconcile.sandbox.api.frontdoor import RequestRecord

_SPOILS = {"storage-reset-body": "reset-body", "storage-truncate": "truncate", "storage-stall": "stall-body"}


@dataclass(frozen=True, slots=True)
class _Stored:
    content: bytes
    etag: str
    stored_at: float
    """Seconds since 1970."""


class Storage:
    """
    Files by path, and the URLs they may be read with for `url_seconds`.

    `address` (`http://host:port`) must be set before a URL is requested. `clock` is monotonic. Every request is
    appended to `requests` where a list is given. Requests are counted from 1, for their faults.
    """

    def __init__(
        self,
        *,
        faults: Faults,
        url_seconds: float = 300.0,
        time_scale: float = 1.0,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        requests: list[RequestRecord] | None,
    ) -> None:
        self.address = ""
        self._faults = faults
        self._url_seconds = url_seconds
        self._time_scale = time_scale
        self._clock = clock
        self._wall_clock = wall_clock
        self._requests = requests
        self._files: dict[str, _Stored] = {}
        self._good_until: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self._requests_seen = 0

    def put(self, path: str, content: bytes) -> None:
        """Keep a file at `path`, which begins with a slash."""
        etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
        self._files[path] = _Stored(content, etag, self._wall_clock())

    def drop(self, path: str) -> None:
        """Forget the file at `path`, if there is one."""
        self._files.pop(path, None)

    def sign(self, path: str) -> str:
        """Return a new URL of the file at `path`, good from now on."""
        number = len(self._good_until) + 1
        digest = hashlib.sha512(f"{path}/{number}".encode()).digest()
        moment = datetime.fromtimestamp(self._wall_clock(), UTC)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"ASIASANDBOX/{moment:%Y%m%d}/eu-west-1/s3/aws4_request",
            "X-Amz-Date": f"{moment:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": f"{self._url_seconds:.0f}",
            "X-Amz-Security-Token": base64.b64encode(digest).decode(),
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": hashlib.sha256(digest).hexdigest(),
        }
        self._good_until[path, frozenset(query.items())] = self._clock() + self._url_seconds / self._time_scale
        return f"{self.address}{quote(path)}?{urlencode(query)}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request to the storage."""
        record = RequestRecord.of(request, self._clock())
        if self._requests is not None:
            self._requests.append(record)
        self._requests_seen += 1
        faults = self._faults.of(STORAGE, self._requests_seen)
        record.faults.extend(fault.kind for fault in faults)
        response = self._answered(request, {fault.kind for fault in faults})
        record.status = response.status
        record.body_bytes = len(response.body) if isinstance(response.body, bytes) else 0
        for fault in faults:
            if fault.kind in _SPOILS and response.status in {200, 206}:
                record.status = 0  # never answered in full
                return await sending.spoil(request, response, Fault(_SPOILS[fault.kind], When()))
        return response

    def _answered(self, request: web.Request, faults: set[str]) -> web.Response:
        if "storage-5xx" in faults:
            return _error(503, "SlowDown", "Please reduce your request rate.")
        if "Authorization" in request.headers:
            return _error(
                400,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified",
            )
        good_until = self._good_until.get((request.path, frozenset(parse_qsl(request.rel_url.raw_query_string))))
        if not request.query_string:
            return _error(403, "AccessDenied", "Access Denied")
        if good_until is None or request.method != "GET":
            return _error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if "storage-expired" in faults or self._clock() >= good_until:
            return _error(403, "AccessDenied", "Request has expired")
        stored = self._files.get(request.path)
        if stored is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        return _file(request, stored)


def _file(request: web.Request, stored: _Stored) -> web.Response:
    """Return the file, or the part of it that `Range` asks for."""
    wanted = request.headers.get("If-Match")
    if wanted is not None and wanted not in {stored.etag, "*"}:
        return _error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    headers = {
        "Content-Type": "application/gzip",
        "ETag": stored.etag,
        "Accept-Ranges": "bytes",
        "Last-Modified": formatdate(stored.stored_at, usegmt=True),
    }
    size = len(stored.content)
    asked = re.fullmatch(r"bytes=([0-9]{1,18})-([0-9]{0,18})", request.headers.get("Range", ""))
    if asked is None or int(asked[2] or size) < int(asked[1]) < size:  # a range it cannot read is ignored
        return web.Response(body=stored.content, headers=headers)
    first, last = int(asked[1]), min(int(asked[2] or size), size - 1)
    if first >= size:
        refused = _error(416, "InvalidRange", "The requested range is not satisfiable")
        refused.headers["Content-Range"] = f"bytes */{size}"
        return refused
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return web.Response(body=stored.content[first : last + 1], status=206, headers=headers)


def _error(status: int, code: str, message: str) -> web.Response:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return web.Response(text=text, status=status, content_type="application/xml")
