"""
Where order totals are requested, and with which words: the URL of a database without its secrets, and the query.

Knows URLs and files of SQL only; loads no driver. `sqlite:books.db` and `duckdb:books.duckdb` are relative to the
working directory, `sqlite:///data/books.db` is absolute, `~` is the home directory. A password may stand in a
`postgresql://` URL that comes from the environment; it is shown nowhere.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from reconcile.errors import SettingsError

SERVERS = {"postgresql": "postgresql", "postgres": "postgresql"}
FILES = ("duckdb", "sqlite")

_HINT = "write postgresql://HOST/DATABASE, duckdb:FILE or sqlite:FILE; from others, export a file"
_SECRET_PARAMETERS = ("password", "sslpassword")
_HOSTS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]@:,]*)(:[0-9]*)?(,(\[[0-9A-Fa-f:.%]+\]|[^\[\]@:,]*)(:[0-9]*)?)*")
# A comment at the end of a query. With a quote or a `*/` in it, it could be the end of a string or of a longer comment.
_LAST_COMMENT = re.compile(r"--(?:(?!\*/)[^'\"$\n])*\Z")


@dataclass(frozen=True, slots=True)
class OrdersQuery:
    """
    One query on one database.

    `engine` is "postgresql", "duckdb" or "sqlite"; `target` what its driver connects to (a URL, or the path of a file);
    `name` the database without credentials and parameters: what `source_file`, errors and the manifest call it.
    """

    engine: str
    name: str
    sql: str
    target: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the query's text, in UTF-8, as it is sent."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def is_ordered(self) -> bool:
        """Whether the query says anything of an order: without one, equal data may come in another order."""
        return re.search(r"\border\s+by\b", self.sql, re.IGNORECASE) is not None

    def told(self, text: str) -> str:
        """Return `text` of a driver without the passwords it may repeat."""
        for secret in passwords(self.target) if self.engine in SERVERS.values() else ():
            text = text.replace(secret, "…")
        return text


def orders_query(sql: str | None, database: str | None) -> OrdersQuery | None:
    """
    Return the query `sql` (or the one in the file that `@file.sql` names) on the database of the URL `database`.

    None where neither is given. Raises SettingsError when one is given without the other, when the URL names no
    database that can be read, or when there is no query.
    """
    if not sql and not database:
        return None
    if not sql or not database:
        given, missing = ("--orders-db", "--orders-sql") if database else ("--orders-sql", "--orders-db")
        raise SettingsError(
            f"{given} is given without {missing}",
            hint='a query needs a database, and the reverse: --orders-sql "SELECT … ORDER BY …" --orders-db URL',
        )
    engine, name, target = _place(database)
    return OrdersQuery(engine, name, _query_text(sql), target)


def shown_url(url: str) -> str:
    """Return the URL of a database for people: without user, password, parameters and fragment."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() in FILES or ("@" not in url and "//" not in url):
        return url
    hosts = _hosts(rest)
    if hosts is None:
        return f"{scheme}:…"
    _, slash, path = re.split("[?#]", rest[2:], maxsplit=1)[0].partition("/")
    return f"{scheme}://{hosts}{slash}{path}"


def passwords(url: str) -> list[str]:
    """Return the passwords in `url`, as they are written there and as they are meant; none where it has none."""
    rest = url.partition("://")[2]
    authority = rest.rpartition("@")[0]
    written = [authority.partition(":")[2]] if ":" in authority else []
    query = rest.partition("?")[2].partition("#")[0]
    written += [value for name, value in (part.partition("=")[::2] for part in query.split("&")) if _is_secret(name)]
    meant = [unquote(secret) for secret in written] + [value for name, value in parse_qsl(query) if _is_secret(name)]
    return sorted({secret for secret in written + meant if secret}, key=len, reverse=True)


def _is_secret(parameter: str) -> bool:
    return parameter.lower() in _SECRET_PARAMETERS


def _hosts(rest: str) -> str | None:
    """Return the hosts and ports that follow `scheme:`; None where a password may be taken for one of them."""
    if not rest.startswith("//"):
        return None
    authority, _, path = re.split("[?#]", rest[2:], maxsplit=1)[0].partition("/")
    hosts = authority.rpartition("@")[2]
    return hosts if _HOSTS.fullmatch(hosts) and "@" not in path else None


def _place(url: str) -> tuple[str, str, str]:
    """Return engine, name and target of `url`."""
    scheme, _, rest = url.strip().partition(":")
    scheme = scheme.lower()
    if scheme in SERVERS and rest.startswith("//"):
        if _hosts(rest) is None:
            raise SettingsError(
                f'--orders-db: "{scheme}:…" is not a URL',
                hint="write postgresql://USER@HOST:PORT/DATABASE; in a password, @ is written %40, / %2F and : %3A",
            )
        url = f"{SERVERS[scheme]}:{rest}"
        return SERVERS[scheme], shown_url(url), url
    if scheme in FILES and rest.strip("/"):
        path = _local_path(scheme, rest)
        return scheme, f"{scheme}:{path}", str(path)
    raise SettingsError(f'--orders-db: "{shown_url(url)}" names no database that can be read', hint=_HINT)


def _local_path(scheme: str, rest: str) -> Path:
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise SettingsError(
                f'--orders-db: "{shown_url(f"{scheme}:{rest}")}" names a host, but this database is a local file',
                hint=f"write {scheme}:relative/path or {scheme}:///absolute/path",
            )
        rest = slash + path.lstrip("/")  # `sqlite:////data/books.db` is how others write an absolute path
    if "?" in rest:
        raise SettingsError(
            f'--orders-db: "{scheme}:{rest.partition("?")[0]}" has parameters, which are not known here',
            hint="leave them out: a file is opened for reading only; a ? that belongs to its name is written %3F",
        )
    return Path(unquote(rest)).expanduser()


def _query_text(sql: str) -> str:
    if sql.startswith("@"):
        path = Path(sql[1:])
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SettingsError(
                f"--orders-sql: {path} cannot be read: {reason}", hint="name a file of SQL in UTF-8, as in @orders.sql"
            ) from error
    else:
        text = sql
    text = _without_tail(text).strip()
    if not text:
        raise SettingsError("--orders-sql: there is no query", hint='write "SELECT … ORDER BY …", or @file.sql')
    return text


def _without_tail(text: str) -> str:
    """Return `text` without blanks, semicolons and comments behind its last word: drivers put it into brackets."""
    while True:
        shorter = _LAST_COMMENT.sub("", text.rstrip().rstrip(";"))
        if shorter == text:
            return text
        text = shorter
