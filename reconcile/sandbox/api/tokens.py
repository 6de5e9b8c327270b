"""
Access tokens: who may ask for one, what it says, how long it is good.

After https://docs.commercelayer.io/core/authentication : client credentials only, JWT-shaped tokens, 401 with
`invalid_client` for a wrong client. The signature is noise: a client reads a token, it cannot verify it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from reconcile.sandbox.world.world import World

CLIENT_ID = "sandbox-integration-Xk2mT7uQbN4vZp9cRw1eYs6h"
CLIENT_SECRET = "sandbox-secret-not-for-production-5vPq8Lr3"  # noqa: S105 - the stand-in's own, printed on start
SALES_CHANNEL_ID = "sandbox-sales-channel-Hn5wE8yJdF3qLx0zKa7"
SALES_CHANNEL_SECRET = "sandbox-sales-secret-not-for-production"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Client:
    """An API credential: `kind` is integration or sales_channel."""

    client_id: str
    client_secret: str
    kind: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that was handed out. `dies_at` is on the server's own monotonic clock."""

    kind: str
    dies_at: float


class TokenDesk:
    """
    Hands out tokens and knows which are good.

    `lifetime_seconds` is what a token says of itself; `dies_after_seconds`, when given, is when it stops working
    without having said so. `clock` is monotonic, `wall_clock` gives seconds since 1970.
    """

    def __init__(
        self,
        world: World,
        clients: tuple[Client, ...],
        *,
        lifetime_seconds: int,
        dies_after_seconds: float | None,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._world = world
        self._clients = {client.client_id: client for client in clients}
        self._lifetime_seconds = lifetime_seconds
        self._dies_after_seconds = lifetime_seconds if dies_after_seconds is None else dies_after_seconds
        self._clock = clock
        self._wall_clock = wall_clock
        self._issued: dict[str, IssuedToken] = {}
        self._number = 0

    def grant(self, request: Mapping[str, object]) -> tuple[int, dict[str, object]]:
        """Return status and body of the answer to a token request."""
        grant_type = request.get("grant_type")
        if grant_type != "client_credentials":
            detail = "The authorization grant type is not supported by the authorization server."
            return 400, _errors(400, "unsupported_grant_type", "BAD_REQUEST", detail)
        client = self._clients.get(str(request.get("client_id")))
        if client is None or request.get("client_secret") != client.client_secret:
            detail = (
                "Client authentication failed due to unknown client, no client authentication included, "
                "or unsupported authentication method."
            )
            return 401, _errors(401, "invalid_client", "UNAUTHORIZED", detail)
        return 200, self._issue(client, str(request.get("scope") or "market:all"))

    def kind_of(self, authorization: str | None) -> str | None:
        """Return the kind of client behind an Authorization header, None when its token is not good."""
        if authorization is None or not authorization.startswith("Bearer "):
            return None
        issued = self._issued.get(authorization.removeprefix("Bearer "))
        return issued.kind if issued is not None and self._clock() < issued.dies_at else None

    def revoke_all(self) -> None:
        """Make every token handed out so far useless."""
        self._issued.clear()

    def _issue(self, client: Client, scope: str) -> dict[str, object]:
        self._number += 1
        now = int(self._wall_clock())
        token = self._token(client, scope, now)
        self._issued[token] = IssuedToken(client.kind, self._clock() + self._dies_after_seconds)
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self._lifetime_seconds,
            "scope": scope,
            "created_at": now,
        }

    def _token(self, client: Client, scope: str, now: int) -> str:
        number = hashlib.sha256(f"{client.client_id}/{self._number}/{now}".encode()).hexdigest()
        payload = {
            "organization": {
                "id": self._world.organization_id,
                "slug": self._world.organization_slug,
                "enterprise": False,
                "region": "eu-west-1",
            },
            "application": {
                "id": number[:10],
                "kind": client.kind,
                "public": False,
                "client_id": client.client_id,
                "confidential": True,
            },
            "scope": scope,
            "exp": now + self._lifetime_seconds,
            "iat": now,
            "iss": "https://auth.commercelayer.io",
            "rand": 0.5 + self._number / 1_000_000,
            "test": self._world.mode == "test",
        }
        header = {"alg": "RS512", "typ": "JWT", "kid": hashlib.sha256(b"sandbox").hexdigest()}
        signed = f"{_encoded(msgspec.json.encode(header))}.{_encoded(msgspec.json.encode(payload))}"
        noise = b"".join(hashlib.sha512(f"{number}{part}".encode()).digest() for part in range(4))
        return f"{signed}.{_encoded(noise)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _errors(status: int, title: str, code: str, detail: str) -> dict[str, object]:
    # A number here, unlike everywhere else: https://github.com/commercelayer/commercelayer-js-auth
    return {"errors": [{"title": title, "detail": detail, "code": code, "status": status}]}
