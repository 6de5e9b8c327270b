"""
Order files from a web server: one GET, its redirects, its retries, and the proof that the whole file came.

Knows HTTP. A file whose end the server does not report is refused: half a table looks like a whole one. What an
address holds before "@" goes to its own server only, and nothing after "?" is ever in a message.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import quote, urljoin, urlsplit

from reconcile.errors import OrderFileError
from reconcile.files.disk import disk_errors
from reconcile.orders.places.addresses import Address, is_loopback
from reconcile.orders.places.sources import check_size, copy_pieces

TIMEOUT_SECONDS = 60.0
PAUSES_SECONDS = (1.0, 3.0, 9.0)
"""What is waited before each further attempt; a file is requested once more often than there are pauses."""
MOST_REDIRECTS = 5

_SAFE = "%/:=&?~#+!$,;'@()*[]"  # stands in addresses as it is: RFC 3986
_ENCODINGS = ("identity", "gzip", "x-gzip", "zstd")  # which the first bytes show again
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REFUSALS = {
    401: (
        "the server asks for a user and a password",
        "write them as https://user:password@host/…: nothing shows them",
    ),
    403: ("the server denies access", "an address that was signed in advance may have expired: make a new one"),
    404: ("there is no such file on the server", "check the address"),
    410: ("the file is gone from the server", "check the address"),
}


class _Broken(Exception):
    """The connection, or the server, failed in a way that may pass."""


class _Refused(Exception):
    """The answer is one that no further attempt mends: problem and hint."""


def fetch_file(address: Address, destination: Path, *, limit_bytes: int) -> None:
    """
    Write the file at `address` to `destination`.

    Raises OrderFileError when it cannot be had, when it is larger than `limit_bytes`, and when its end is not proved;
    OutputError when there is no room.
    """
    for attempt in range(len(PAUSES_SECONDS) + 1):
        if attempt:
            time.sleep(PAUSES_SECONDS[attempt - 1])
        try:
            return _fetch_once(address, destination, limit_bytes)
        except _Refused as refused:
            problem, hint = refused.args
            raise OrderFileError(problem, path=address.name, hint=hint) from refused
        except _Broken as broken:
            failure = broken
    raise OrderFileError(
        f"the file cannot be fetched: {failure}, {attempt + 1} times",
        path=address.name,
        hint="check the server and the connection to it, and start again",
    ) from failure


def _fetch_once(address: Address, destination: Path, limit_bytes: int) -> None:
    try:
        with _opener(address).open(_request(address), timeout=TIMEOUT_SECONDS) as answer:
            size = _announced(answer)
            if size is not None:
                check_size(size, name=address.name, limit_bytes=limit_bytes)
            with disk_errors(destination), destination.open("wb") as file:
                copied = _copied(answer, file, address.name, limit_bytes)
    except urllib.error.HTTPError as error:
        error.close()
        raise _answered(error.code) from error
    except urllib.error.URLError as error:
        raise _unreached(error.reason) from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise _unreached(error) from error
    if size is not None and copied != size:
        raise _Broken("the connection was interrupted")


def _copied(answer: http.client.HTTPResponse, file: BinaryIO, name: str, limit_bytes: int) -> int:
    return copy_pieces(_Answer(answer), file, name=name, limit_bytes=limit_bytes)


class _Answer:
    """The body of an answer; what breaks it is distinguished from what the disk refuses."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer

    def read(self, size: int = -1) -> bytes:
        try:
            return self._answer.read(size)
        except (http.client.HTTPException, OSError) as error:
            raise _unreached(error) from error


def _announced(answer: http.client.HTTPResponse) -> int | None:
    """Return the length the server announces, None where the answer ends by itself (in chunks)."""
    if answer.status != 200:
        raise _answered(answer.status)
    encoding = answer.headers.get("Content-Encoding", "identity").lower()
    if encoding not in _ENCODINGS:
        raise _Refused(
            "the server compresses the file in a way that was not requested, and that is not read",
            "fetch it by other means, and name the file",
        )
    if answer.headers.get("Transfer-Encoding", "").lower() == "chunked":
        return None
    length = answer.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()):
        raise _Refused(
            "the server does not report how long the file is, so it cannot be known whether all of it arrived",
            "fetch it by other means, and name the file",
        )
    return int(length)


def _request(address: Address) -> urllib.request.Request:
    host = address.host if address.host.isascii() else address.host.encode("idna").decode()
    url = f"{address.scheme}://{host}{quote(address.path or '/', safe=_SAFE)}"
    if address.query:
        url += f"?{quote(address.query, safe=_SAFE)}"
    request = urllib.request.Request(  # noqa: S310  (the scheme is https, or http to this machine)
        url, headers={"Accept-Encoding": "identity", "User-Agent": "reconcile"}
    )
    if address.user is not None:
        words = f"{address.user}:{address.password or ''}".encode()
        # "Unredirected" headers stay behind when the server sends us elsewhere.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(words).decode()}")
    return request


def _opener(address: Address) -> urllib.request.OpenerDirector:
    handlers = [urllib.request.HTTPSHandler(context=ssl.create_default_context()), _Redirects()]
    if is_loopback(address.host):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy's own machine is another one
    return urllib.request.build_opener(*handlers)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https, or on this machine; takes the user and password along on one server only."""

    max_redirections = MOST_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(urljoin(req.full_url, newurl))
        here = is_loopback(old.netloc) and is_loopback(new.netloc)
        if "@" in new.netloc or not (new.scheme == "https" or (new.scheme == "http" and here)):
            raise urllib.error.HTTPError(req.full_url, code, "not followed", headers, fp)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        authorization = req.unredirected_hdrs.get("Authorization")
        if request is not None and authorization and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            request.add_unredirected_header("Authorization", authorization)
        return request


def _answered(status: int) -> Exception:
    if status in _PASSING:
        return _Broken(f"the server answers with status {status}")
    if 300 <= status < 400:
        problem = f"the server redirects to an address that is not safe, or more than {MOST_REDIRECTS} times"
        return _Refused(problem, "name the address of the file itself")
    problem, hint = _REFUSALS.get(status, ("the server refuses", "check the address"))
    return _Refused(f"{problem} (status {status})", hint)


def _unreached(reason: Any) -> Exception:
    if isinstance(reason, _Broken | _Refused):
        return reason
    if isinstance(reason, ssl.SSLError) and not isinstance(reason, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _Refused("the server's certificate or TLS is not accepted", "check the address")
    if isinstance(reason, TimeoutError):
        return _Broken("no answer came in time")
    if isinstance(reason, http.client.InvalidURL | ValueError):
        return _Refused("this is not a usable address", "write it as https://host/path")
    if isinstance(reason, OSError) and reason.strerror:
        return _Broken(f"no connection ({reason.strerror})")
    return _Broken("the connection was interrupted")
