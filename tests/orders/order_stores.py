"""Places that serve order files on this machine: a web server, and the stores of Amazon and Google as far as asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Answer = Callable[["Handler"], None]


@dataclass
class Store:
    """What is served, by path without query, and what was asked for: path with query, and headers."""

    port: int = 0
    files: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str, *, user: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{user}{host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def do_GET(self) -> None:
        self.store.asked.append((self.path, dict(self.headers)))
        path = unquote(urlsplit(self.path).path)
        found = self.store.files.get(path)
        if callable(found):
            found(self)
        elif found is not None:
            self.send(200, found)
        elif path.startswith("/storage/v1/b/"):
            self._google(path)
        elif "list-type" in self.path:
            self._amazon_list(path.strip("/"))
        else:
            self.send(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_GET

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer with a body; HEAD and ranges as the stores' clients ask for them."""
        wanted = self.headers.get("Range")
        if wanted and status == 200:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            whole, body, status = len(body), body[int(first) : int(last or len(body)) + 1], 206
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(body) - 1}/{whole}"
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _amazon_list(self, bucket: str) -> None:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<Size>{size}</Size></Contents>"
            for key, size in self._keys(bucket, prefix)
        )
        head = f"<Name>{bucket}</Name><KeyCount>{found.count('<Key>')}</KeyCount><IsTruncated>false</IsTruncated>"
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        self.send(200, f"<ListBucketResult {space}>{head}{found}</ListBucketResult>".encode())

    def _google(self, path: str) -> None:
        # https://cloud.google.com/storage/docs/json_api/v1/objects
        bucket, _, key = path.removeprefix("/storage/v1/b/").partition("/o")
        key = key.strip("/")
        if not key:
            prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
            items = [_google_object(bucket, name, size) for name, size in self._keys(bucket, prefix)]
            self.send(200, json.dumps({"kind": "storage#objects", "items": items}).encode())
            return
        content = self.store.files.get(f"/{bucket}/{key}")
        if callable(content):
            content(self)
        elif content is None:
            self.send(404, b'{"error": {"code": 404, "message": "No such object"}}')
        elif "alt=media" in self.path:
            self.send(200, content)
        else:
            self.send(200, json.dumps(_google_object(bucket, key, len(content))).encode())

    def _keys(self, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
        for path, content in sorted(self.store.files.items()):
            key = path.removeprefix(f"/{bucket}/")
            if key != path and key.startswith(prefix) and isinstance(content, bytes):
                yield key, len(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _google_object(bucket: str, key: str, size: int) -> dict[str, str]:
    moment = "2026-01-01T00:00:00.000Z"
    return {
        "kind": "storage#object", "bucket": bucket, "name": key, "size": str(size), "generation": "1",
        "metageneration": "1", "updated": moment, "timeCreated": moment,
    }  # fmt: skip


@contextmanager
def serving() -> Iterator[Store]:
    """Serve a Store on a port of this machine."""
    store = Store()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (Handler,), {"store": store}))
    server.daemon_threads = True
    store.port = server.server_port
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
