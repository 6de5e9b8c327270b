"""
One request until it is answered: its attempts, the waits between them, and what all of it cost.

Knows which failures mend themselves, and what a permit of the rate limit has to know. Opens no connection itself
(`wire`); knows neither tokens nor resources. Nothing here logs a header, a body or a query.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from reconcile.commercelayer.document import BrokenBody, Quota, decode_error, quota, retry_after_seconds
from reconcile.commercelayer.rate_limit.limiter import Limiter, Permit
from reconcile.commercelayer.sending.bodies import MOST_BYTES
from reconcile.commercelayer.sending.retry import Failure, RetryPolicy, gave_up, may_repeat, mends_itself
from reconcile.commercelayer.sending.wire import Answer, Wire
from reconcile.errors import Unreachable

log = logging.getLogger("reconcile.commercelayer")

Method = Literal["GET", "PATCH", "POST"]
Answered = TypeVar("Answered")

# A host that never answered is more likely misspelt than down: say so soon.
_FIRST_CONTACT_SECONDS = 30.0


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


@dataclass(frozen=True, slots=True)
class Timing:
    """How time passes: `clock` gives monotonic seconds, `sleep` waits for some."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class Sender:
    """
    Sends by `wire` under the permits of `limiter`, and again as `retry` has it.

    `secret` is taken out of what a server says when it refuses; `plain` takes all that is secret out of a string.
    """

    def __init__(
        self,
        wire: Wire,
        limiter: Limiter,
        retry: RetryPolicy,
        timing: Timing,
        *,
        secret: str,
        plain: Callable[[str], str],
    ) -> None:
        self.statistics = Statistics()
        self.quota: Quota | None = None
        """The rate limit as the last answer described it."""
        self._wire = wire
        self._limiter = limiter
        self._retry = retry
        self._secret = secret.encode()
        self._plain = plain
        self._timing = timing
        self._heard_from: set[str] = set()

    async def until_answered(
        self, attempt: Callable[[], Awaitable[Answered]], *, method: Method, url: str, what: str
    ) -> Answered:
        """
        Attempt until it succeeds, the budget is spent, or an error comes that no repetition mends.

        Raises Unreachable when it is given up, else what `attempt` raises; `what` names the request in words.
        """
        started = self._timing.clock()
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
            elapsed = self._timing.clock() - started
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
                gave_up = self._gave_up(failure, url=url, what=what, attempts=number, seconds=elapsed)
                gave_up.may_be_done = not may_repeat(method, failure.cause)
                raise gave_up from None
            self.statistics.retries[failure.cause] += 1
            log.debug("retry", extra={"request": what, "cause": failure.cause, "attempt": number, "wait": wait})
            if wait > 0 and failure.cause != "token_renewed":
                await self._timing.sleep(wait)

    async def send(
        self,
        method: Method,
        url: str,
        permit: Permit,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Send one request under `permit` and return the answer. Raises Failure when there is none to be used."""
        self.statistics.requests[permit.traffic] += 1
        settled, cause, after = False, None, None

        def begins(status: int, answered: Mapping[str, str]) -> None:
            nonlocal settled, cause, after
            cause = mends_itself(status)
            after = retry_after_seconds(answered) if cause is not None else None
            described, rejected = quota(answered), cause == "rate_limited"
            self._limiter.settle(permit, answered=True, quota=described, rejected=rejected, retry_after_seconds=after)
            settled = True
            self._heard_from.add(permit.traffic)
            if described is not None and permit.traffic == "read":
                self.quota = described

        try:
            answer = await self._wire.send(
                method, url, headers=headers, body=body, begins=begins, most_bytes=most_bytes
            )
        finally:
            if not settled:
                self._limiter.settle(permit, answered=False)
        self.statistics.bytes_received += len(answer.body)
        if answer.status >= 400:
            # A server may quote the request. Taken out here, no shortened text can hold a part of it.
            answer = Answer(answer.status, answer.headers, answer.body.replace(self._secret, b"***"))
        if cause is not None:
            raise Failure(cause, decode_error(answer.status, answer.body).message, after)
        return answer

    def _gave_up(self, failure: Failure, *, url: str, what: str, attempts: int, seconds: float) -> Unreachable:
        host = urlsplit(url).netloc
        named = Failure(failure.cause, self._plain(failure.what))
        return gave_up(
            named, host=host, what=what, attempts=attempts, seconds=seconds, heard_before=bool(self._heard_from)
        )
