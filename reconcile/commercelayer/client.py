"""
One request after another to one organization's API: through the limiter, with a token, again when it failed.

Knows origins, headers and tokens. How often a request is sent is known to `attempts`; pages and payments are known
elsewhere. Nothing here logs a header, a body or a query.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from reconcile.commercelayer.clocks import this_clock
from reconcile.commercelayer.document import ApiError, Document, Quota, decode_document, decode_error, http_date
from reconcile.commercelayer.exports.download import Destination, Download
from reconcile.commercelayer.query import Params, query_string
from reconcile.commercelayer.rate_limit.limiter import Limiter
from reconcile.commercelayer.rate_limit.request_log import SharedLog
from reconcile.commercelayer.sending.attempts import Sender, Timing
from reconcile.commercelayer.sending.auth import Claims, Credentials, Token, TokenKeeper
from reconcile.commercelayer.sending.origin import check_unlimited, usable_api_url, usable_url
from reconcile.commercelayer.sending.request import Request
from reconcile.commercelayer.sending.retry import Failure, RetryPolicy, refusal
from reconcile.commercelayer.sending.token_endpoint import TokenEndpoint, TokenWanted
from reconcile.commercelayer.sending.wire import Answer, Wire
from reconcile.errors import CommerceLayerError, SettingsError

__all__ = ["CommerceLayer", "Credentials"]

log = logging.getLogger("reconcile.commercelayer")

BeforeSending = Callable[[], Awaitable[None]]


class CommerceLayer:
    """
    A client of one organization's API; an async context manager. One limiter for everything it sends.

    `api_url` is the base of the resources (`/api` is added when it has no path), `auth_url` the base of
    `/oauth/token`; https, or http to this machine only. `rate_share` is the part of the rate limit to use.
    `expected_mode` (`live` or `test`) is compared with the token. `retry_seconds` is how long one request may keep on
    failing. `rate_limit=False` is for servers on this machine that have no limits. `allowance` is a file: all processes
    of this machine that name it keep to the rate limit together. `clock` gives monotonic seconds, `wall_clock` the time
    of day (aware).

    Raises SettingsError for a URL or figure that cannot be used, before anything is sent.
    """

    def __init__(
        self,
        *,
        api_url: str,
        auth_url: str,
        credentials: Credentials,
        rate_share: float = 1.0,
        rate_limit: bool = True,
        allowance: Path | None = None,
        expected_mode: str | None = None,
        scope: str | None = None,
        connect_seconds: float = 10.0,
        timeout_seconds: float = 30.0,
        retry_seconds: float = 300.0,
        first_retry_seconds: float = 0.5,
        user_agent: str = "reconcile",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = this_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not 0 < rate_share <= 1:
            raise SettingsError(f"rate_share: {rate_share} is not a share", hint="give a number above 0, at most 1")
        if expected_mode not in (None, "live", "test"):
            raise SettingsError(f'mode: "{expected_mode}" is neither live nor test')
        self._api_url = usable_api_url(api_url)
        if not rate_limit:
            check_unlimited(self._api_url)
        self._credentials = credentials
        self._expected_mode = expected_mode
        self._wire = Wire(connect_seconds=connect_seconds, timeout_seconds=timeout_seconds, user_agent=user_agent)
        self._sleep = sleep
        self.wall_clock = wall_clock
        self._date: str | None = None
        self._tokens = TokenKeeper(self._ask_token, clock=clock)
        shared = SharedLog(allowance, longest_answer_seconds=timeout_seconds) if allowance else None
        self.limiter = Limiter(clock=clock, sleep=sleep, share=rate_share, limited=rate_limit, shared=shared)
        self._sender = Sender(
            self._wire,
            self.limiter,
            RetryPolicy(budget_seconds=retry_seconds, first_seconds=first_retry_seconds),
            Timing(clock, sleep),
            secret=credentials.client_secret,
            plain=self._plain,
        )
        token_url = usable_url(auth_url, "auth_url").removesuffix("/oauth/token") + "/oauth/token"
        self._token_endpoint = TokenEndpoint(
            self._sender,
            self.limiter,
            TokenWanted(token_url, credentials, scope, expected_mode),
            refusal=self._refusal,
            plain=self._plain,
        )
        self.statistics = self._sender.statistics
        self.clock_offset_seconds: float | None = None
        """The server's clock minus ours, as last seen (the server reports whole seconds)."""

    async def __aenter__(self) -> Self:
        await self._wire.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.close()

    @property
    def served_at(self) -> datetime | None:
        """What time it is by the server's clock, as last seen; null where it has not said."""
        offset = self.clock_offset_seconds
        return None if offset is None else self.wall_clock() + timedelta(seconds=offset)

    @property
    def claims(self) -> Claims:
        """What the token says; empty until `authenticate` or the first request."""
        token = self._tokens.current
        return token.claims if token is not None else Claims()

    @property
    def organization(self) -> str:
        """Slug of the organization: as the token says, else the first label of the API's host."""
        return self.claims.organization or (urlsplit(self._api_url).hostname or "").split(".")[0]

    @property
    def mode(self) -> str | None:
        """`live` or `test`: as the token says, else as expected; null when neither does."""
        return self.claims.mode or self._expected_mode

    @property
    def is_narrowed(self) -> bool:
        """Whether the token has a scope that leaves something out."""
        return self.claims.scope not in (None, "", "market:all")

    @property
    def api_url(self) -> str:
        """Base of the resources, without a slash at its end."""
        return self._api_url

    @property
    def host(self) -> str:
        """Host of the API, as messages name it."""
        return urlsplit(self._api_url).netloc

    @property
    def quota(self) -> Quota | None:
        """The rate limit as the last answer described it."""
        return self._sender.quota

    async def authenticate(self) -> Claims:
        """
        Make sure there is a valid token and return what it says.

        Raises AuthError when the credentials are refused, WrongMode when the token is of another mode than expected.
        """
        return (await self._tokens.token()).claims

    async def get(self, path: str, params: Params | str, *, urgency: int = 0) -> Document:
        """
        Return the document at `path` (relative to the API, without a slash in front).

        `params` may be a query string already, percent-encoded.
        Of several waiting for the rate limit the most urgent goes first.
        Raises Refused, AuthError, WrongMode, and Unreachable when no usable answer came within the retry budget.
        """
        query = params if isinstance(params, str) else query_string(params)
        return await self._exchange(Request("GET", path, query), urgency=urgency)

    async def patch(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        params: Params | None = None,
        before: BeforeSending | None = None,
    ) -> Document:
        """
        Send `body`, a JSON:API document, to the resource at `path` and return the answer; one of 204 holds nothing.

        It is sent again only where it surely had no effect (no connection, 429, an expired token). `before` is awaited
        each time the rate limit lets it go, immediately before it is sent; nothing is sent where that raises. Errors as
        `get`; Unreachable has `may_be_done` where it may have been carried out.
        """
        request = Request("PATCH", path, query_string(params or {}), msgspec.json.encode(body))
        return await self._exchange(request, before=before)

    async def post(self, path: str, body: Mapping[str, object]) -> Document:
        """
        Create the resource `body`, a JSON:API document, at `path` and return the answer. Errors as `get`.

        Unreachable can mean that it was created and the answer lost: look for it before sending it again.
        """
        return await self._exchange(Request("POST", path, body=msgspec.json.encode(body)))

    async def download(self, url: str, destination: Destination) -> None:
        """
        Write the file at `url`, a pre-signed address of object storage, to `destination` as it is.

        It is sent nothing of ours, the token least of all; redirects are not followed. An interrupted download resumes
        where it broke, if the storage has the same file still. The rate limit does not count it.
        Raises DeadLink when a fresh address is needed, BrokenExport when the address cannot be used, Unreachable, and
        OutputError when the disk does not take the file.
        """
        download = Download()

        async def attempt() -> None:
            at_start = download.fetched
            try:
                await self._wire.fetch(url, destination, download)
            finally:
                self.statistics.bytes_received += download.fetched - at_start

        await self._sender.until_answered(attempt, method="GET", url=url, what="GET of an export's file")
        self.statistics.downloads += 1
        log.debug("file of an export", extra={"bytes": download.received})

    async def pause(self, seconds: float) -> None:
        """Wait, by the clock that everything of this client goes by."""
        await self._sleep(seconds)

    async def _exchange(self, request: Request, *, urgency: int = 0, before: BeforeSending | None = None) -> Document:
        url = request.url(self._api_url)
        refused: Token | None = None

        async def attempt() -> Document:
            nonlocal refused
            permit = await self.limiter.acquire(request.traffic, request.endpoint, urgency=urgency)
            try:  # after the wait, which a short-lived token might not outlast
                token = await self._tokens.token(refused=refused)
                if before is not None:
                    await before()
                    self.limiter.begin(permit)
            except BaseException:
                self.limiter.settle(permit, answered=False)
                raise
            headers = {**request.headers, "Authorization": f"Bearer {token.value}"}
            answer = await self._sender.send(request.method, url, permit, headers=headers, body=request.body)
            self._note_clock(answer)
            log.debug("%s: %d", request.name, answer.status, extra={"bytes": len(answer.body)})
            if answer.status in (200, 201):
                return decode_document(answer.body, answer.headers)
            if answer.status == 204:
                return Document(ids=(), record_count=None, date=answer.headers.get("Date"), body=b"")
            problem = decode_error(answer.status, answer.body)
            if answer.status == 401 and problem.code == "INVALID_TOKEN" and refused is None:
                refused = token
                raise Failure("token_renewed", "the token expired")
            raise self._refusal(answer, problem, what=request.name)

        return await self._sender.until_answered(attempt, method=request.method, url=url, what=request.name)

    async def _ask_token(self) -> Token:
        token = await self._token_endpoint.ask()
        if (mode := token.claims.mode or self._expected_mode) is not None and self.quota is None:
            self.limiter.assume_mode(mode)
        return token

    def _note_clock(self, answer: Answer) -> None:
        date = answer.headers.get("Date")
        if date == self._date:
            return  # it has whole seconds: once in each is enough
        self._date = date
        if (server := http_date(date)) is not None:
            self.clock_offset_seconds = (server - self.wall_clock()).total_seconds()

    def _refusal(self, answer: Answer, problem: ApiError, *, what: str) -> CommerceLayerError:
        message = self._plain(f"{what}: {problem.message}")
        return refusal(
            message,
            status=answer.status,
            code=problem.code,
            api_url=self._api_url,
            reason=problem.reason,
            allowed=problem.allowed,
        )

    def _plain(self, text: str) -> str:
        """`text` without anything secret that a server may have echoed."""
        token = self._tokens.current
        for secret in (self._credentials.client_secret, token.value if token is not None else ""):
            if secret:
                text = text.replace(secret, "***")
        return text
