"""
One request to the API as a value: what it asks of which resource, and what follows from that.

Knows paths, headers and the class of traffic. Sends nothing, and knows no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconcile.commercelayer.query import ACCEPT
from reconcile.commercelayer.rate_limit.limiter import Traffic
from reconcile.commercelayer.sending.attempts import Method


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is relative to the API, without a slash in front; `query` is percent-encoded; `body` is a document."""

    method: Method
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        assert not self.path.startswith("/"), "only this API's own resources are requested"

    def url(self, api_url: str) -> str:
        """Return its address below `api_url`, which has no slash at its end."""
        return f"{api_url}/{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def traffic(self) -> Traffic:
        """The class of traffic that counts it."""
        return "read" if self.method == "GET" else "write"

    @property
    def endpoint(self) -> str:
        """The resource, to whose burst limit it counts."""
        return self.path.partition("/")[0]

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, but for the token."""
        return {"Accept": ACCEPT} | ({} if self.body is None else {"Content-Type": ACCEPT})

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.method} {self.path}"
