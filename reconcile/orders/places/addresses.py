"""
Addresses of order files: what a word such as `https://…` or `s3://…` says, and what the file may be called.

Knows schemes, user info and loopback. What follows "?" can be a credential (a pre-signed address), and so can what
stands before "@": neither is ever part of a name or a message. Fetches nothing.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from unicodedata import category
from urllib.parse import SplitResult, unquote, urlsplit

from reconcile.errors import OrderFileError

SCHEMES = ("https", "http", "s3", "gs")
"""Schemes of addresses that are read; http is for this machine only."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Address:
    """
    A parsed address: `host` is the bucket for `s3` and `gs`, with the port if there is one for `https`.

    `path` begins with "/" or is empty and stands as it was written. `user`, `password` and `query` are shown nowhere.
    """

    scheme: str
    host: str
    path: str
    query: str = field(default="", repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The address without user info, query and fragment: what `source_file`, rejects and errors call the file."""
        return printable(f"{self.scheme}://{self.host}{self.path}")


def is_address(word: str) -> bool:
    """Return whether `word` is an address and not a path."""
    return _ADDRESS.match(word) is not None


def parse_address(word: str) -> Address:
    """Return the parts of the address `word`; raises OrderFileError when it cannot be one that is read here."""
    try:
        # A "#" may stand in the name of an object in a bucket; of a web address it is never sent.
        parts = urlsplit(word, allow_fragments=word.lower().startswith("http"))
        _check(word, parts)
    except ValueError as error:
        raise OrderFileError(
            "this is not a usable address", path=_masked(word), hint="write it as https://host/path"
        ) from error
    if parts.scheme not in SCHEMES:
        raise OrderFileError(
            f'addresses that begin with "{parts.scheme}://" are not read',
            path=_masked(word),
            hint="name a local file without a scheme, or an https://, s3:// or gs:// address",
        )
    host = parts.netloc.rpartition("@")[2]
    host = host.lower() if parts.scheme in ("http", "https") else host
    if parts.scheme == "http" and not is_loopback(host):
        raise OrderFileError(
            "http:// is not safe for order totals", path=_masked(word), hint="use https://, or fetch the file"
        )
    decoded = [unquote(text) if text is not None else None for text in (parts.username, parts.password)]
    return Address(parts.scheme, host, parts.path, parts.query, *decoded)


def without_secrets(word: str) -> str:
    """Return what an error or a report may call `word`: its name where it is an address, be it a usable one or not."""
    if not is_address(word):
        return word
    try:
        return parse_address(word).name
    except OrderFileError as error:
        return error.path


def printable(name: str) -> str:
    """Return `name`, with what cannot be shown, leads a terminal astray or is no Unicode written as an escape."""
    return "".join(_escaped(sign) if category(sign)[0] == "C" else sign for sign in name)


def is_loopback(host: str) -> bool:
    """Return whether `host`, with or without a port, is this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _masked(word: str) -> str:
    """Return `word` without all that can be a secret, though it cannot be taken apart as an address."""
    scheme, _, rest = word.partition("://")
    # A password may hold any character where nobody has escaped it: all before the last "@" goes.
    return printable(f"{scheme.lower()}://{re.split('[?#]', rest.rpartition('@')[2], maxsplit=1)[0]}")


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def _check(word: str, parts: SplitResult) -> None:
    if _CONTROL.search(word):
        raise ValueError("a control character")
    if not parts.hostname:
        raise ValueError("no host")
    if parts.port == 0:  # reading it raises ValueError for what is no port at all
        raise ValueError("no port")
