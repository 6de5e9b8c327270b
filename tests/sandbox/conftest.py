"""A small served world, and requests to it over plain sockets: the sandbox is not tested with the client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from reconcile.sandbox.seed import World
from reconcile.sandbox.server import SandboxServer

JSON_API = "application/vnd.api+json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["errors"][0]["code"]

    @property
    def ids(self) -> list[str]:
        return [resource["id"] for resource in self.json["data"]]


@dataclass
class Asker:
    """Sends one request per connection. Header None leaves a header out."""

    server: SandboxServer
    token: str | None = None

    def log_in(self, **changes: str) -> Answer:
        body = {
            "grant_type": "client_credentials",
            "client_id": self.server.client_id,
            "client_secret": self.server.client_secret,
            **changes,
        }
        answer = self.send("POST", "/oauth/token", json.dumps(body).encode(), {"Content-Type": "application/json"})
        if answer.status == 200:
            self.token = answer.json["access_token"]
        return answer

    def get(self, path: str, parameters: dict[str, str] | None = None, **headers: str | None) -> Answer:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.send("GET", f"/api{path}{query}", None, self._headers(headers))

    def patch(self, path: str, document: Any, **headers: str | None) -> Answer:
        sent = self._headers({"Content_Type": JSON_API, **headers})
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send("PATCH", f"/api{path}", body, sent)

    def send(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=10)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def _headers(self, headers: dict[str, str | None]) -> dict[str, str]:
        if self.token is None and "Authorization" not in headers:
            self.log_in()
        wanted = {"Accept": JSON_API, "Authorization": f"Bearer {self.token}", **headers}
        return {name.replace("_", "-"): value for name, value in wanted.items() if value is not None}


Serve = Callable[..., Asker]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a world (default: 60 payments, no limit) and gives an Asker for it."""
    servers: list[SandboxServer] = []

    def start(world: World | None = None, **options: Any) -> Asker:
        server = SandboxServer(world or World.generate(60), **{"limits": None, **options})
        server.__enter__()
        servers.append(server)
        return Asker(server)

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def shared_server() -> Iterator[SandboxServer]:
    with SandboxServer(World.generate(60), limits=None) as server:
        yield server


@pytest.fixture(scope="session")
def ask(shared_server: SandboxServer) -> Asker:
    """An Asker of a world of 60 payments that no test changes."""
    return Asker(shared_server)


@pytest.fixture(scope="session")
def payment_ids(shared_server: SandboxServer) -> list[str]:
    """The ids of that world's payments in the order of the hidden sequence."""
    return shared_server.world.payment_ids()
