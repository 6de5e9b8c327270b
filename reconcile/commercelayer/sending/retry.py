"""
Failures: this cause, this attempt: wait how long, or give up, and in which words.

Knows which failures mend themselves and what the reader does about the others. Does not send, sleep or count
permits; chance is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reconcile.errors import AuthError, CommerceLayerError, Refused, Unreachable

Cause = Literal[
    "connect", "timeout", "reset", "broken_body", "too_large", "server_error", "rate_limited", "token_renewed"
]

CAUSES_IN_WORDS: dict[str, str] = {
    "connect": "no connection",
    "timeout": "no answer in time",
    "reset": "the connection was interrupted",
    "broken_body": "an answer that is not JSON:API",
    "too_large": "an answer that is too large",
    "server_error": "a server error",
    "rate_limited": "the rate limit",
    "token_renewed": "an expired token",
}


_RESUMES = "nothing is lost: run the same command to resume"
_LISTING_HINT = (
    "listing payments needs the credentials of an integration with read permission on "
    "klarna_payments and orders; sales channels cannot list them"
)


@dataclass(eq=False)
class Failure(Exception):
    """One attempt came to nothing; `what` says how. `final`: no other attempt will fare better."""

    cause: Cause
    what: str
    retry_after_seconds: float | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How long one request may keep failing.

    `budget_seconds` runs from its first attempt; `first_seconds` is the longest first wait, doubled each time up to
    `longest_seconds`. The wait itself is drawn evenly between half of that and all of it, so that walkers that
    failed together do not come back together.
    """

    budget_seconds: float = 300.0
    first_seconds: float = 0.5
    longest_seconds: float = 20.0

    def wait_seconds(
        self,
        cause: Cause,
        *,
        attempt: int,
        elapsed_seconds: float,
        retry_after_seconds: float | None,
        chance: Callable[[], float],
    ) -> float | None:
        """
        Return the seconds to wait before the next attempt, or null when the budget does not reach that far.

        `attempt` is the number of the one that failed, from 1. A 429 waits in the limiter, for all: here it costs
        no time of its own, but its `Retry-After` must fit the budget.
        """
        if cause == "rate_limited":
            wait = 0.0
            reaches = elapsed_seconds + (retry_after_seconds or 0.0)
        else:
            ceiling = min(self.longest_seconds, self.first_seconds * 2 ** min(attempt - 1, 30))
            wait = max(ceiling * (0.5 + chance() / 2), retry_after_seconds or 0.0)
            reaches = elapsed_seconds + wait
        return None if reaches > self.budget_seconds else wait


def mends_itself(status: int) -> Cause | None:
    """Return why an answer of `status` is worth another attempt, or null when it is not."""
    if status == 429:
        return "rate_limited"
    if status >= 500 or status == 408:
        return "server_error" if status >= 500 else "timeout"
    return None


def may_repeat(method: str, cause: Cause) -> bool:
    """Return whether a request may be sent again: a write only where it surely had no effect."""
    return method == "GET" or cause in ("connect", "rate_limited", "token_renewed")


def refusal(
    message: str,
    *,
    status: int,
    code: str | None,
    api_url: str,
    reason: str | None = None,
    allowed: int | None = None,
) -> CommerceLayerError:
    """Return the error for an answer that no repetition mends; `message` holds the API's own words."""
    if status in (401, 403):
        return AuthError(message, hint=_LISTING_HINT)
    hint = None
    if 300 <= status < 400:
        hint = f"{api_url} redirects elsewhere, which is not followed; check the API's address"
    elif status == 404:
        hint = f"check the organization and the API's address: {api_url}"
    return Refused(message, status=status, code=code, reason=reason, allowed=allowed, hint=hint)


def gave_up(
    failure: Failure, *, host: str, what: str, attempts: int, seconds: float, heard_before: bool
) -> Unreachable:
    """
    Return the error for a request that failed to the end of its budget; `failure` is what was seen last.

    `heard_before` distinguishes a server in trouble from an address that never answered.
    """
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts in {seconds:.0f} s"
    hint = _RESUMES
    if not heard_before:
        hint = f"check the address {host} and the network; then run the same command again"
    elif failure.cause == "rate_limited":
        hint = f"something else behind this IP address may be using up the rate limit; {_RESUMES}"
    return Unreachable(
        f"{host}: {what}: {times}; last seen: {CAUSES_IN_WORDS[failure.cause]} ({failure.what})",
        attempts=attempts,
        hint=hint,
    )
