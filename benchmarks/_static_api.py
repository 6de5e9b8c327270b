"""
An API of static files: every answer of one pull, recorded from the sandbox and served by nginx on one core.

What is measured against it is the client alone: no answer is computed. nginx (a Debian package of that name) finds a
file by what differs between the requests of a pull: page size and number, window, and the row to go on behind.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.query import PAGE_SIZE, Params, Window, page_params, query_string
from reconcile.commercelayer.relations import Wanted
from reconcile.payments.pull import pull_to_parquet
from reconcile.payments.request import PullRequest

UNTIL = datetime.fromisoformat("2026-07-01T00:00:00+00:00")
"""The cut-off of every pull measured: a recorded request is asked again only if its window is the same."""

CREDENTIALS = Credentials("bench", "bench-secret")

_PARTS = {
    "size": "page[size]",
    "number": "page[number]",
    "since": "filter[q][created_at_gteq]",
    "until": "filter[q][created_at_lt]",
    "after": "filter[q][id_gt]",
}

_NGINX = """
{user}daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
worker_cpu_affinity {core};
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  types {{ }}
  default_type application/vnd.api+json;
{maps}
  server {{
    listen 127.0.0.1:{port};
    location = /oauth/token {{ default_type application/json; return 200 '{token}'; }}
    location = /api/klarna_payments {{ root {pages}; try_files /$size/$number/$since/$until/$after.json =404; }}
  }}
}}
"""


class _Recorder(CommerceLayer):
    """A client that keeps every answer."""

    pages: Path
    recorded: list[str]

    async def get(self, path: str, params: Params | str, *, urgency: int = 0) -> Document:
        document = await super().get(path, params, urgency=urgency)
        file = self.pages / _file_of(dict(parse_qsl(params)) if isinstance(params, str) else params)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(document.body)
            self.recorded.append(f"/api/{path}?{params if isinstance(params, str) else query_string(params)}")
        return document


def record(payments: int, pages: Path, *, numbered: bool = False) -> None:
    """
    Pull a generated world of `payments` from a sandbox and keep its answers in `pages`, unless they are there.

    With `numbered` the pages are those of the plain list, one number after the other, as most tools ask for them.
    """
    if (pages / "requests").exists():
        return
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    command = [sys.executable, "-m", "reconcile", "sandbox", "-q", "--no-rate-limit", "--payments", str(payments)]
    secrets = ["--client-id", CREDENTIALS.client_id, "--client-secret", CREDENTIALS.client_secret]
    with subprocess.Popen([*command, *secrets], stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        url = sandbox.stdout.readline().strip()
        try:
            asyncio.run((_record_numbered if numbered else _record)(url, pages))
        finally:
            sandbox.terminate()


async def _record_numbered(url: str, pages: Path) -> None:
    client = _Recorder(api_url=url, auth_url=url.removesuffix("/api"), credentials=CREDENTIALS, rate_limit=False)
    client.pages, client.recorded = pages, []
    first = page_params(Window(None, None), Wanted())
    async with client:
        count = (await client.get("klarna_payments", first)).record_count
        assert count is not None
        for number in range(2, -(-count // PAGE_SIZE) + 1):
            await client.get("klarna_payments", first | {"page[number]": str(number)})
    (pages / "requests").write_text("\n".join(client.recorded))


async def _record(url: str, pages: Path) -> None:
    origin = url.removesuffix("/api")
    client = _Recorder(api_url=url, auth_url=origin, credentials=CREDENTIALS, rate_limit=False)
    client.pages, client.recorded = pages, []
    with tempfile.TemporaryDirectory() as folder:
        async with client:
            await pull_to_parquet(
                client, Path(folder) / "payments.parquet", PullRequest(until=UNTIL.isoformat(), mirror="")
            )
    (pages / "requests").write_text("\n".join(client.recorded))


@contextlib.contextmanager
def served(pages: Path, *, core: int = 0) -> Iterator[str]:
    """Serve `pages` from one core while the block runs; give the server's address."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name)
        folder.chmod(0o755)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        maps = "\n".join(
            f'  map $args ${name} {{ default -; "~(?:^|&){_escaped(part)}={_value(name)}'
            for name, part in _PARTS.items()
        )
        config = folder / "nginx.conf"
        # Two bits of a mask: nginx wants one for each of the machine's cores that it may use.
        text = _NGINX.format(
            user="user root;\n" if os.getuid() == 0 else "",
            folder=folder,
            core=format(1 << core, "b"),
            maps=maps,
            port=port,
            pages=pages,
            token=_token_answer(),
        )
        config.write_text(text)
        server = subprocess.Popen([_nginx(), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")])
        try:
            _wait_for(f"http://127.0.0.1:{port}/oauth/token")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def requests(pages: Path) -> list[str]:
    """Return the path and query of every request of the recorded pull, in the order they were sent."""
    return (pages / "requests").read_text().splitlines()


def _file_of(params: Mapping[str, str]) -> str:
    values = {name: params[part].replace(":", ".") if part in params else "-" for name, part in _PARTS.items()}
    return "{size}/{number}/{since}/{until}/{after}.json".format(**values)


def _escaped(part: str) -> str:
    """The name of a parameter as nginx finds it: brackets may come escaped or as they are."""
    return part.replace("[", "(?:%5B|<)").replace("]", r"(?:%5D|\])").replace("<", r"\[")


def _value(name: str) -> str:
    """The end of a line of nginx's map: how the value is found, and what becomes of it (a colon may come escaped)."""
    if name not in ("since", "until"):
        return f'(?<{name}_1>[^&]+)" ${name}_1; }}'
    colon = "(?:%3A|:)"
    return f'(?<{name}_1>[^&%:]+){colon}(?<{name}_2>[0-9]+){colon}(?<{name}_3>[^&]+)" ${name}_1.${name}_2.${name}_3; }}'


def access_token() -> str:
    """Return a token with the claims that a client reads."""
    claims = {"organization": {"slug": "bench", "id": "bench"}, "application": {"kind": "integration"}, "test": False}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.e30"


def _token_answer() -> str:
    answer = {"access_token": access_token(), "token_type": "bearer", "expires_in": 7200, "scope": "market:all"}
    return json.dumps(answer | {"created_at": int(time.time())})


def _nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        sys.exit("this benchmark needs nginx (Debian: apt-get install nginx-light)")
    return found


def _wait_for(url: str) -> None:
    for _ in range(100):
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url):
            return
        time.sleep(0.05)
    sys.exit(f"nginx does not answer at {url}")
