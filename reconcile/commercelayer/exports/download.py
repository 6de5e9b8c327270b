"""
Files behind pre-signed addresses: which may be fetched, and how an interrupted download resumes.

Knows what object storage answers, and where a piece belongs. Opens no connection. The address is a credential for as
long as it is valid: it stands in no message, and nothing that belongs to the API, the access token above all, is sent
to it.

Source: https://docs.commercelayer.io/core/exporting-resources (fetched without the token, valid for five minutes)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.sending.origin import is_this_machine
from reconcile.commercelayer.sending.retry import Failure
from reconcile.files.disk import disk_errors

MOST_FILE_BYTES = 1024 * 1024 * 1024
"""Of a file, packed: an export holds some thousand records, which are a few megabytes."""


Destination = Path | IO[bytes]
"""Where a file is written to: to a path, or into a file that is open for reading and writing."""


class DeadLink(Exception):
    """The address gives the file no longer. Ask the API for a fresh one."""


@dataclass(slots=True)
class Download:
    """
    How much of a file is here, and of which version of it (`etag`; null: not reported).

    `fetched` counts all bytes that came, those of a version that was given up too.
    """

    received: int = 0
    etag: str | None = None
    fetched: int = 0

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest; without any the whole file comes."""
        if not self.received or self.etag is None:
            return {}
        return {"Range": f"bytes={self.received}-", "If-Match": self.etag}

    def begins(self, status: int, headers: Mapping[str, str]) -> None:
        """
        Take note of an answer's status and headers; `received` is then where its body belongs in the file.

        Raises DeadLink, Failure for what a repetition mends, BrokenExport for what nothing does.
        """
        if status == 206 and headers.get("Content-Range", "").startswith(f"bytes {self.received}-"):
            return
        asked_for_the_rest = bool(self.headers())
        self.received, self.etag = 0, None
        if status == 200:
            tag = headers.get("ETag")
            # A weak tag does not promise the same bytes.
            self.etag = tag if tag and not tag.startswith("W/") else None
        elif status in (206, 412, 416) and asked_for_the_rest:
            raise Failure("broken_body", "the file has changed")
        elif status == 429 or status >= 500 or status == 408:
            # Not the API's rate limit: it waits like any other trouble.
            raise Failure("server_error", f"status {status}")
        elif 300 <= status < 400:
            raise BrokenExport("the address of the file redirects elsewhere, which is not followed", final=True)
        else:
            raise DeadLink

    def keep(self, piece: bytes, destination: Destination) -> None:
        """Write `piece` where it belongs in the file at `destination`. Raises OutputError, or BrokenExport by size."""
        if self.received + len(piece) > MOST_FILE_BYTES:
            raise BrokenExport("the file is larger than 1 GB", final=True)
        where = destination if isinstance(destination, Path) else Path(destination.name)
        with disk_errors(where), _opened(destination, anew=not self.received) as file:
            file.seek(self.received)
            file.write(piece)
        self.received += len(piece)
        self.fetched += len(piece)


@contextlib.contextmanager
def _opened(destination: Destination, *, anew: bool) -> Iterator[IO[bytes]]:
    if isinstance(destination, Path):
        with destination.open("wb" if anew else "r+b") as file:
            yield file
        return
    if anew:
        destination.truncate(0)
    yield destination
    destination.flush()


def usable_link(url: str) -> str:
    """Return `url`. Raises BrokenExport unless it is https, or http to this machine; its text says nothing of it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise BrokenExport("the address of the file is not a URL", final=True) from None
    usable = parts.scheme == "https" or (parts.scheme == "http" and host is not None and is_this_machine(host))
    if not host or not usable or parts.username is not None:
        raise BrokenExport("the address of the file is not https", final=True)
    return url
