"""
The wire: one request there and its answer back, or a file.

The only room that opens a connection. Knows sessions, time-outs and what can break on the way, and names it as the
retries do. Does not know tokens, limits or what an answer means; sends nothing by itself twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from reconcile.commercelayer.exports.download import Destination, Download, usable_link
from reconcile.commercelayer.sending.bodies import MEGABYTE, MOST_BYTES, MOST_ERROR_BYTES, Body, NotPacked, TooLarge
from reconcile.commercelayer.sending.retry import Failure

# Bytes of a file written at once.
_PIECE_BYTES = 256 * 1024

Begins = Callable[[int, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its body decoded as the transfer encoding says."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Broken(Exception):
    """The connection broke. Not an `aiohttp.ClientError`: aiohttp would then send again, without a permit."""


class Wire:
    """Connections to one server, kept open between `open` and `close`. Redirects are never followed."""

    def __init__(self, *, connect_seconds: float, timeout_seconds: float, user_agent: str) -> None:
        self._connect_seconds = connect_seconds
        self._timeout_seconds = timeout_seconds
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Get ready to send; needs a running loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=75),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip"},
            auto_decompress=False,  # aiohttp would unpack whatever comes, however large it becomes
            timeout=aiohttp.ClientTimeout(total=self._timeout_seconds, sock_connect=self._connect_seconds),
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        begins: Begins,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """
        Send one request and return its answer; `url` is percent-encoded already.

        `begins` is called with status and headers as soon as they have come, before the body. Raises Failure when the
        connection cannot be made, breaks, or takes too long, and when a good answer has more than `most_bytes`.
        """
        assert self._session is not None, "use the client as `async with CommerceLayer(...) as client`"
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                middlewares=(_sent_once,),
            ) as response:
                begins(response.status, response.headers)
                most = most_bytes if response.status < 400 else MOST_ERROR_BYTES
                return Answer(response.status, response.headers, await _body_of(response, most_bytes=most))
        except (TimeoutError, aiohttp.ClientError, _Broken) as error:
            raise _failure(error) from error

    async def fetch(self, url: str, destination: Destination, download: Download) -> None:
        """
        Fetch what `download` still needs of the file at `url`, a pre-signed address, to `destination`, as it is.

        A session of its own sends nothing of ours. Raises Failure, and DeadLink, BrokenExport and OutputError as
        `Download` does.
        """
        link = URL(usable_link(url), encoded=True)
        async with aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_seconds, sock_read=self._timeout_seconds
            ),
        ) as session:
            try:
                async with session.get(link, headers=download.headers(), allow_redirects=False) as response:
                    download.begins(response.status, response.headers)
                    async for piece in response.content.iter_chunked(_PIECE_BYTES):
                        download.keep(piece, destination)
                    if not download.received:
                        download.keep(b"", destination)  # an empty file is one, too
            except (TimeoutError, aiohttp.ClientError) as error:
                raise _failure(error) from error


async def _body_of(response: aiohttp.ClientResponse, *, most_bytes: int) -> bytes:
    """Return the body of `response`, of an error only its beginning. The connection is closed where more follows."""
    try:
        body = Body(response.headers.get("Content-Encoding", "").strip().lower(), most_bytes=most_bytes)
        async for piece in response.content.iter_any():
            body.add(piece)
        return body.whole()
    except TooLarge:
        if response.status >= 400:
            return body.read()
        what = f"an answer of more than {most_bytes // MEGABYTE} MB"
        raise Failure("too_large", what, final=True) from None
    except NotPacked as error:
        raise Failure("broken_body", str(error)) from error


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again by itself: each sending takes a permit of the limiter."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise  # aiohttp does not repeat these
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broken(type(error).__name__) from error


def _failure(error: Exception) -> Failure:
    name = type(error).__name__
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return Failure("connect", "the server's certificate or TLS is not accepted", final=True)
        case aiohttp.ClientConnectorError():
            return Failure("connect", str(error.os_error.strerror or error.os_error))
        case TimeoutError():
            return Failure("timeout", name)
        case aiohttp.ClientResponseError():
            return Failure("broken_body", "an answer that is not HTTP")
        case _:
            return Failure("reset", name)
