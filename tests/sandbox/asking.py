"""Requests to a served world over plain sockets, and a clock that goes on when told to."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

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
        return self._write("PATCH", path, document, headers)

    def post(self, path: str, document: Any, **headers: str | None) -> Answer:
        return self._write("POST", path, document, headers)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", f"/api{path}", None, self._headers({}))

    def export(self, **attributes: Any) -> Answer:
        """Create an export; `klarna_payments` unless said otherwise."""
        attributes = {"resource_type": "klarna_payments", **attributes}
        return self.post("/exports", {"data": {"type": "exports", "attributes": attributes}})

    def exported(self, id_: str) -> dict[str, Any]:
        """Return the attributes of an export as they are now."""
        return self.get(f"/exports/{id_}").json["data"]["attributes"]

    def _write(self, method: str, path: str, document: Any, headers: dict[str, str | None]) -> Answer:
        sent = self._headers({"Content_Type": JSON_API, **headers})
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send(method, f"/api{path}", body, sent)

    def send(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=300)
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


def fetch(url: str, method: str = "GET", *, timeout_seconds: float = 10, **headers: str) -> Answer:
    """Send one request to `url` as it stands, with these headers and no others of the API."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_seconds)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, None, sent)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


@dataclass
class Clock:
    """A clock that goes on when it is told to: seconds since the server started, and what the wall says then."""

    seconds: float = 0.0
    started_at: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return self.started_at + self.seconds
