"""
One request after another to one organization's API: through the limiter, with a token, again when it failed.

Knows origins, headers and statuses. Opens no connection itself (`wire`), does not know pages or payments. Nothing here
logs a header, a body or a query.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from reconcile.commercelayer.allowance import SharedAllowance
from reconcile.commercelayer.auth import Claims, Credentials, Token, TokenKeeper, token_from_answer, token_request
from reconcile.commercelayer.document import (
    ApiError,
    BrokenBody,
    Document,
    Quota,
    decode_document,
    decode_error,
    http_date,
    quota,
    retry_after_seconds,
)
from reconcile.commercelayer.history import Event, read_history
from reconcile.commercelayer.limiter import Limiter, Permit, Traffic
from reconcile.commercelayer.origin import is_this_machine, usable_url
from reconcile.commercelayer.query import ACCEPT, Params, query_string
from reconcile.commercelayer.retry import Failure, RetryPolicy, gave_up, may_repeat, mends_itself, refusal
from reconcile.commercelayer.storage import Download
from reconcile.commercelayer.wire import Answer, Wire
from reconcile.errors import (
    AuthError,
    CommerceLayerError,
    SettingsError,
    Unreachable,
    WrongMode,
)

__all__ = ["CommerceLayer", "Credentials", "Statistics"]

log = logging.getLogger("reconcile.commercelayer")

Method = Literal["GET", "PATCH", "POST"]
Answered = TypeVar("Answered")

# A host that never answered is more likely misspelt than down: say so soon.
_FIRST_CONTACT_SECONDS = 30.0

_CREDENTIALS_HINT = "check the client id and secret; they must be those of an integration of this organization"


@dataclass(slots=True)
class Statistics:
    """
    What was sent and received so far. `requests` by traffic class, `retries` by cause; bodies as decoded.

    `downloads` are the files fetched from object storage, packed as they are; they spend no rate limit.
    """

    requests: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    rate_limited: int = 0
    bytes_received: int = 0
    downloads: int = 0


class CommerceLayer:
    """
    A client of one organization's API; an async context manager. One limiter for everything it sends.

    `api_url` is the base of the resources (`/api` is added when it has no path), `auth_url` the base of
    `/oauth/token`; https, or http to this machine only. `rate_share` is the part of the rate limit to use.
    `expected_mode` (`live` or `test`) is compared with the token. `retry_seconds` is how long one request may go on
    failing. `rate_limit=False` is for servers on this machine that have no limits. `allowance` is a file: all processes
    of this machine that name it keep to the rate limit together.

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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not 0 < rate_share <= 1:
            raise SettingsError(f"rate_share: {rate_share} is not a share", hint="give a number above 0, at most 1")
        if expected_mode not in (None, "live", "test"):
            raise SettingsError(f'mode: "{expected_mode}" is neither live nor test')
        self._api_url = usable_url(api_url, "api_url")
        if not urlsplit(self._api_url).path:
            self._api_url += "/api"
        if not rate_limit and not is_this_machine(urlsplit(self._api_url).hostname or ""):
            raise SettingsError(
                f"rate_limit: {self._api_url} has limits; only a server on this machine may be asked without",
                hint="leave rate_limit out, and set rate_share to leave room for others",
            )
        self._token_url = usable_url(auth_url, "auth_url").removesuffix("/oauth/token") + "/oauth/token"
        self._credentials = credentials
        self._expected_mode = expected_mode
        self._scope = scope
        self._wire = Wire(connect_seconds=connect_seconds, timeout_seconds=timeout_seconds, user_agent=user_agent)
        self._retry = RetryPolicy(budget_seconds=retry_seconds, first_seconds=first_retry_seconds)
        self._clock = clock
        self._sleep = sleep
        self._heard_from: set[str] = set()
        self._date: str | None = None
        self._tokens = TokenKeeper(self._ask_token, clock=clock)
        shared = SharedAllowance(allowance, longest_answer_seconds=timeout_seconds) if allowance else None
        self.limiter = Limiter(clock=clock, sleep=sleep, share=rate_share, limited=rate_limit, shared=shared)
        self.statistics = Statistics()
        self.quota: Quota | None = None
        """The rate limit as the last answer described it."""
        self.clock_offset_seconds: float | None = None
        """The server's clock minus ours, as last seen (the server tells whole seconds)."""

    async def __aenter__(self) -> Self:
        await self._wire.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.close()

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
        return await self._exchange("GET", path, query=query, urgency=urgency)

    async def patch(self, path: str, body: Mapping[str, object], *, params: Params | None = None) -> Document:
        """Send `body`, a JSON:API document, to the resource at `path` and return the answer. Errors as `get`."""
        return await self._exchange("PATCH", path, query=query_string(params or {}), body=msgspec.json.encode(body))

    async def post(self, path: str, body: Mapping[str, object]) -> Document:
        """
        Create the resource `body`, a JSON:API document, at `path` and return the answer. Errors as `get`.

        Unreachable can mean that it was created and the answer lost: look for it before sending it again.
        """
        return await self._exchange("POST", path, body=msgspec.json.encode(body))

    async def download(self, url: str, destination: Path) -> None:
        """
        Write the file at `url`, a pre-signed address of object storage, to `destination` as it is.

        It is sent nothing of ours, the token least of all; redirects are not followed. A download that breaks goes on
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

        await self._until_answered(attempt, method="GET", url=url, what="GET of an export's file")
        self.statistics.downloads += 1
        log.debug("file of an export", extra={"bytes": download.received})

    async def history(self, payment_id: str) -> list[Event]:
        """
        Return what happened to a payment, oldest first: its event stores, or its `versions` where those are refused.

        Credentials of Klarna are left out. A payment whose only trail is that of `versions` may have none: nothing was
        stored there since August 2025.
        Raises UnknownPayment when there is no such payment, Refused when neither list may be read, else as `get`.
        Source: https://docs.commercelayer.io/core-api-reference/event_stores
        """
        await self.authenticate()  # credentials that are refused are no refusal of one list
        return await read_history(self.get, payment_id)

    async def pause(self, seconds: float) -> None:
        """Wait, by the clock that everything of this client goes by."""
        await self._sleep(seconds)

    async def _exchange(
        self, method: Method, path: str, *, query: str = "", body: bytes | None = None, urgency: int = 0
    ) -> Document:
        assert not path.startswith("/"), "only this API's own resources are asked for"
        traffic: Traffic = "read" if method == "GET" else "write"
        endpoint = path.partition("/")[0]
        url = f"{self._api_url}/{path}" + (f"?{query}" if query else "")
        headers = {"Accept": ACCEPT}
        if body is not None:
            headers["Content-Type"] = ACCEPT
        refused: Token | None = None

        async def attempt() -> Document:
            nonlocal refused
            permit = await self.limiter.acquire(traffic, endpoint, urgency=urgency)
            try:  # after the wait, which a short-lived token might not outlast
                token = await self._tokens.token(refused=refused)
            except BaseException:
                self.limiter.settle(permit, answered=False)
                raise
            answer = await self._send(
                method, url, permit, headers=headers | {"Authorization": f"Bearer {token.value}"}, body=body
            )
            self._note_clock(answer)
            log.debug("%s %s: %d", method, path, answer.status, extra={"bytes": len(answer.body)})
            if answer.status in (200, 201):
                return decode_document(answer.body, answer.headers)
            problem = decode_error(answer.status, answer.body)
            if answer.status == 401 and problem.code == "INVALID_TOKEN" and refused is None:
                refused = token
                raise Failure("token_renewed", "the token expired")
            raise self._refusal(answer, problem, what=f"{method} {path}")

        return await self._until_answered(attempt, method=method, url=url, what=f"{method} {path}")

    async def _ask_token(self) -> Token:
        body = token_request(self._credentials, scope=self._scope)

        async def attempt() -> Token:
            permit = await self.limiter.acquire("token", "oauth")
            headers = {"Accept": "application/json", "Content-Type": "application/json"}
            answer = await self._send("POST", self._token_url, permit, headers=headers, body=body)
            if answer.status == 200:
                return token_from_answer(answer.body, asked_at=permit.sent)
            problem = decode_error(answer.status, answer.body)
            if answer.status in (400, 401, 403):
                raise AuthError(self._plain(f"{self._token_url}: {problem.message}"), hint=_CREDENTIALS_HINT)
            raise self._refusal(answer, problem, what="POST oauth/token")

        # Asking for a token changes nothing on the other side: it may be repeated like a read.
        token = await self._until_answered(attempt, method="GET", url=self._token_url, what="POST oauth/token")
        if self._expected_mode is not None and token.claims.mode not in (None, self._expected_mode):
            raise WrongMode(
                f"{self._token_url}: the credentials are of mode {token.claims.mode}, expected {self._expected_mode}",
                hint=f"use the credentials of a {self._expected_mode} application, or change the expected mode",
            )
        if (mode := token.claims.mode or self._expected_mode) is not None and self.quota is None:
            self.limiter.assume_mode(mode)
        log.debug("token fetched", extra={"organization": token.claims.organization, "mode": token.claims.mode})
        return token

    async def _until_answered(
        self, attempt: Callable[[], Awaitable[Answered]], *, method: Method, url: str, what: str
    ) -> Answered:
        """Attempt until it succeeds, the budget is spent, or an error comes that no repetition mends."""
        started = self._clock()
        number = 0
        while True:
            number += 1
            try:
                return await attempt()
            except BrokenBody as error:
                failure = Failure("broken_body", str(error))
            except Failure as error:
                failure = error
            if failure.cause == "rate_limited":
                self.statistics.rate_limited += 1
            elapsed = self._clock() - started
            policy = self._retry
            if not self._heard_from and failure.cause in ("connect", "timeout"):
                policy = RetryPolicy(min(policy.budget_seconds, _FIRST_CONTACT_SECONDS), policy.first_seconds)
            wait = policy.wait_seconds(
                failure.cause,
                attempt=number,
                elapsed_seconds=elapsed,
                retry_after_seconds=failure.retry_after_seconds,
                chance=random.random,
            )
            if failure.final or wait is None or not may_repeat(method, failure.cause):
                raise self._gave_up(failure, url=url, what=what, attempts=number, seconds=elapsed) from None
            self.statistics.retries[failure.cause] += 1
            log.debug("retry", extra={"request": what, "cause": failure.cause, "attempt": number, "wait": wait})
            if wait > 0 and failure.cause != "token_renewed":
                await self._sleep(wait)

    async def _send(
        self, method: Method, url: str, permit: Permit, *, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Send one request under `permit` and return the answer. Raises Failure when there is none to be used."""
        self.statistics.requests[permit.traffic] += 1
        settled, cause, after = False, None, None

        def begins(status: int, answered: Mapping[str, str]) -> None:
            nonlocal settled, cause, after
            cause = mends_itself(status)
            after = retry_after_seconds(answered) if cause is not None else None
            described, rejected = quota(answered), cause == "rate_limited"
            self.limiter.settle(permit, answered=True, quota=described, rejected=rejected, retry_after_seconds=after)
            settled = True
            self._heard_from.add(permit.traffic)
            if described is not None and permit.traffic == "read":
                self.quota = described

        try:
            answer = await self._wire.send(method, url, headers=headers, body=body, begins=begins)
        finally:
            if not settled:
                self.limiter.settle(permit, answered=False)
        self.statistics.bytes_received += len(answer.body)
        if answer.status >= 400:
            # A server may quote the request. Taken out here, no shortened text can hold a part of it.
            secret = self._credentials.client_secret.encode()
            answer = Answer(answer.status, answer.headers, answer.body.replace(secret, b"***"))
        if cause is not None:
            raise Failure(cause, decode_error(answer.status, answer.body).message, after)
        return answer

    def _note_clock(self, answer: Answer) -> None:
        date = answer.headers.get("Date")
        if date == self._date:
            return  # it has whole seconds: once in each is enough
        self._date = date
        if (server := http_date(date)) is not None:
            self.clock_offset_seconds = (server - datetime.now(UTC)).total_seconds()

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

    def _gave_up(self, failure: Failure, *, url: str, what: str, attempts: int, seconds: float) -> Unreachable:
        host = urlsplit(url).netloc
        named = Failure(failure.cause, self._plain(failure.what))
        return gave_up(
            named, host=host, what=what, attempts=attempts, seconds=seconds, heard_before=bool(self._heard_from)
        )

    def _plain(self, text: str) -> str:
        """`text` without anything secret that a server may have echoed."""
        token = self._tokens.current
        for secret in (self._credentials.client_secret, token.value if token is not None else ""):
            if secret:
                text = text.replace(secret, "***")
        return text
