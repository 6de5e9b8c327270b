"""
Failures: this cause, this attempt: wait how long, or give up.

Knows which failures mend themselves. Does not send, sleep or count permits; chance is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Cause = Literal["connect", "timeout", "reset", "broken_body", "server_error", "rate_limited", "token_renewed"]

CAUSES_IN_WORDS: dict[str, str] = {
    "connect": "no connection",
    "timeout": "no answer in time",
    "reset": "the connection broke",
    "broken_body": "an answer that is not JSON:API",
    "server_error": "a server error",
    "rate_limited": "the rate limit",
    "token_renewed": "an expired token",
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How long one request may go on failing.

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
