"""
Access tokens: what to ask for, what a token says about itself, when to ask again.

Knows the token endpoint's bodies and the claims of a token. Sends nothing itself; the clock and the asking are passed
in. The secret and the token stand in no repr, message or log.

Sources: https://docs.commercelayer.io/core/authentication, commercelayer/commercelayer-js-auth jwtDecode.ts
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.document import BrokenBody

_Mode = Literal["live", "test"]

# Share of its life that a token keeps unused, and the most of it in seconds: renewed before it can expire on the way.
_SPARE_SHARE = 0.1
_SPARE_SECONDS = 60.0
# What a token says of its life is believed between these: the vendor's lie between two hours and a year.
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 10 * 366 * 86_400.0

# Visible ASCII (https://www.rfc-editor.org/rfc/rfc9110#section-5.5); the vendor's have some 1,000 characters.
_TOKEN = re.compile(r"[!-~]{1,65536}")
_MODES: tuple[_Mode, _Mode] = ("live", "test")


class UnusableToken(Exception):
    """A token has characters that no header can hold. Another one will hardly be better."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Client credentials of an integration. The secret never shows."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says about itself; null where it does not. `application_kind` is `integration`, `webapp`, …"""

    organization: str | None = None
    mode: _Mode | None = None
    application_kind: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. `renew_at` and `expires_at` are seconds of the monotonic clock it was asked under."""

    value: str = field(repr=False)
    claims: Claims
    renew_at: float
    expires_at: float


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 7200.0


class _Organization(msgspec.Struct, frozen=True):
    slug: str | None = None


class _Application(msgspec.Struct, frozen=True):
    kind: str | None = None


class _Payload(msgspec.Struct, frozen=True):
    organization: _Organization = _Organization()
    application: _Application = _Application()
    scope: str | None = None
    test: bool | None = None


_answers = msgspec.json.Decoder(_Answer)
_payloads = msgspec.json.Decoder(_Payload)


def token_request(credentials: Credentials, *, scope: str | None) -> bytes:
    """Return the body that asks for a token (plain `application/json`). It holds the secret."""
    body = {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    if scope is not None:
        body["scope"] = scope
    return msgspec.json.encode(body)


def token_from_answer(body: bytes, *, asked_at: float) -> Token:
    """
    Return the token in a 200 of the token endpoint, its life counted from `asked_at`: our clock need not be right.

    Raises BrokenBody when there is none, UnusableToken for one that no header can hold.
    """
    try:
        answer = _answers.decode(body)
    except (ValueError, RecursionError):
        raise BrokenBody("an answer without an access token") from None
    if not _TOKEN.fullmatch(answer.access_token):
        raise UnusableToken
    lifetime = min(max(answer.expires_in, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    spare = min(_SPARE_SECONDS, lifetime * _SPARE_SHARE)
    expires_at = asked_at + lifetime
    return Token(answer.access_token, claims_of(answer.access_token), expires_at - spare, expires_at)


def claims_of(access_token: str) -> Claims:
    """Return the claims of a JWT, its signature unverified (the API does that); none for a token of another kind."""
    try:
        payload = access_token.split(".")[1]
        decoded = _payloads.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):  # errors of base64 and msgspec are ValueErrors
        return Claims()
    slug = decoded.organization.slug
    return Claims(
        organization=slug if slug is not None and is_id(slug) else None,
        mode=None if decoded.test is None else _MODES[decoded.test],
        application_kind=_shown(decoded.application.kind),
        scope=_shown(decoded.scope),
    )


def _shown(text: str | None) -> str | None:
    """`text` where people can read it: it is shown to them."""
    return text if text is not None and text.isprintable() else None


class TokenKeeper:
    """
    The one token of a process, requested once however many walkers need it.

    `ask` gets a fresh token; `clock` gives monotonic seconds.
    """

    def __init__(self, ask: Callable[[], Awaitable[Token]], *, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._asking = asyncio.Lock()
        self._token: Token | None = None

    @property
    def current(self) -> Token | None:
        """The token as last seen, valid or not."""
        return self._token

    async def token(self, *, refused: Token | None = None) -> Token:
        """Return a token that is not about to expire and is not `refused` (one the API has just refused)."""
        if (token := self._usable(refused)) is not None:
            return token
        async with self._asking:
            # Two can meet here: the second finds what the first has fetched.
            if (token := self._usable(refused)) is not None:
                return token
            self._token = await self._ask()
            return self._token

    def _usable(self, refused: Token | None) -> Token | None:
        token = self._token
        if token is None or token is refused or self._clock() >= token.renew_at:
            return None
        return token
