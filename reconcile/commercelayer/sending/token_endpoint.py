"""
The token endpoint: asked until it answers, and what may be made of its answer.

Knows which refusals are about the credentials, and that a token must be of the mode that is expected. When a token is
requested, and by whom it is used, is known elsewhere. Sources: as in `auth`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reconcile.commercelayer.document import ApiError, decode_error
from reconcile.commercelayer.rate_limit.limiter import Limiter
from reconcile.commercelayer.sending.attempts import Sender
from reconcile.commercelayer.sending.auth import Credentials, Token, UnusableToken, token_from_answer, token_request
from reconcile.commercelayer.sending.bodies import MOST_TOKEN_BYTES
from reconcile.commercelayer.sending.wire import Answer
from reconcile.errors import AuthError, CommerceLayerError, WrongMode

log = logging.getLogger("reconcile.commercelayer")

_WHAT = "POST oauth/token"
_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
_CREDENTIALS_HINT = "check the client id and secret; they must be those of an integration of this organization"


class Refusal(Protocol):
    """Makes an error of an answer that no repetition mends; `what` names the request in words."""

    def __call__(self, answer: Answer, problem: ApiError, *, what: str) -> CommerceLayerError: ...


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """Which token is asked for at `url`. Null `scope`: that of the credentials; null `expected_mode`: any will do."""

    url: str
    credentials: Credentials
    scope: str | None
    expected_mode: str | None


class TokenEndpoint:
    """The endpoint for the token that is `wanted`. `plain` takes all that is secret out of a string."""

    def __init__(
        self,
        sender: Sender,
        limiter: Limiter,
        wanted: TokenWanted,
        *,
        refusal: Refusal,
        plain: Callable[[str], str],
    ) -> None:
        self._sender = sender
        self._limiter = limiter
        self._url = wanted.url
        self._body = token_request(wanted.credentials, scope=wanted.scope)
        self._expected_mode = wanted.expected_mode
        self._refusal = refusal
        self._plain = plain

    async def ask(self) -> Token:
        """Return a fresh token. Raises AuthError, WrongMode, and Unreachable when no usable answer came."""
        # Asking for a token changes nothing on the other side: it may be repeated like a read.
        token = await self._sender.until_answered(self._attempt, method="GET", url=self._url, what=_WHAT)
        if self._expected_mode is not None and token.claims.mode not in (None, self._expected_mode):
            raise WrongMode(
                f"{self._url}: the credentials are of mode {token.claims.mode}, expected {self._expected_mode}",
                hint=f"use the credentials of a {self._expected_mode} application, or change the expected mode",
            )
        log.debug("token fetched", extra={"organization": token.claims.organization, "mode": token.claims.mode})
        return token

    async def _attempt(self) -> Token:
        permit = await self._limiter.acquire("token", "oauth")
        answer = await self._sender.send(
            "POST", self._url, permit, headers=_HEADERS, body=self._body, most_bytes=MOST_TOKEN_BYTES
        )
        if answer.status == 200:
            try:
                return token_from_answer(answer.body, asked_at=permit.sent)
            except UnusableToken as error:
                what = f"{self._url}: the access token has characters that are not allowed in a header"
                raise AuthError(what, hint="check auth_url: something else may be answering there") from error
        problem = decode_error(answer.status, answer.body)
        if answer.status in (400, 401, 403):
            raise AuthError(self._plain(f"{self._url}: {problem.message}"), hint=_CREDENTIALS_HINT)
        raise self._refusal(answer, problem, what=_WHAT)
