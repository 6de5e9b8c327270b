"""
Where a warehouse is: what its URL says, without what must not be shown.

Knows URLs only. `duckdb:name.duckdb` and `parquet:folder` are relative to the working directory,
`duckdb:///data/name.duckdb` is absolute, `~` is the home directory.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reconcile.errors import SettingsError

_HINT = "write duckdb:FILE or parquet:FOLDER"


def scheme_of(url: str) -> str:
    """
    Return the scheme of `url` in lower case ("duckdb").

    Raises SettingsError when it has none, or names nothing after it.
    """
    scheme, colon, rest = url.partition(":")
    if not colon or not re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme) or not rest.strip("/"):
        raise SettingsError(f'"{shown_place(url)}" does not name a warehouse', hint=_HINT)
    return scheme.lower()


def local_path(url: str) -> Path:
    """
    Return the path that the `url` of a file or folder names.

    Raises SettingsError when it names a host: files are local.
    """
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise SettingsError(
                f'"{shown_place(url)}" names a host, but this warehouse is a local file or folder',
                hint=f"write {scheme_of(url)}:relative/path or {scheme_of(url)}:///absolute/path",
            )
        rest = slash + path
    return Path(unquote(rest)).expanduser()


def shown_place(url: str) -> str:
    """Return `url` for people: without the user, password, query and fragment that some warehouses' URLs have."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition(":")[0] + ":…"
    if not parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
