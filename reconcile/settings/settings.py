"""
Every setting, said once: `reconcile.toml` < environment (`RECONCILE_…`) < options of the command line.

Knows names, types, defaults and where a value came from, and reports all problems of a source at once.
Secrets are no settings: they are read here from the environment or a file and travel apart.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from reconcile.errors import SettingsError
from reconcile.orders.databases.url import passwords, shown_url
from reconcile.orders.places.addresses import printable, without_secrets

PREFIX = "RECONCILE_"
FILE_NAME = "reconcile.toml"
OnEmpty = Literal["fail", "warn"]
AmountBasis = Literal["total_amount_with_taxes_cents", "total_amount_cents", "place_total_amount_cents"]


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tolerance of one currency, in place of the general one."""

    cents: int | None = None
    percent: str | None = None


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A regular expression, and what comes in place of what it fits."""

    pattern: str
    with_: str = msgspec.field(default="", name="with")


@dataclass(frozen=True, slots=True)
class In:
    """Where a setting stands in `reconcile.toml`, and what it means."""

    table: str
    about: str
    key: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a run. A field's table and key in `reconcile.toml` stand beside its type."""

    organization: Annotated[
        str | None,
        In("commercelayer", 'slug of the organization; makes the API host "https://SLUG.commercelayer.io/api"'),
    ] = None
    api_url: Annotated[str | None, In("commercelayer", "the API's address, in place of the one of `organization`")] = (
        None
    )
    auth_url: Annotated[
        str | None, In("commercelayer", "base of /oauth/token; default the host of api_url, if set")
    ] = None
    mode: Annotated[
        Literal["live", "test"] | None,
        In("commercelayer", "the mode every row must have; default: that of the credentials"),
    ] = None
    scope: Annotated[str | None, In("commercelayer", 'scope of the token, such as "market:code:eu"')] = None
    rate_share: Annotated[float, In("commercelayer", "share of the rate limit to spend, above 0 and up to 1")] = 1.0
    allowance: Annotated[
        str | None, In("commercelayer", "file that processes of this machine name to share the rate limit")
    ] = None
    rate_limit: Annotated[bool, In("commercelayer", "false for a server without limits, on this machine only")] = True
    timeout_seconds: Annotated[float, In("commercelayer", "longest wait for one answer")] = 30.0
    retry_seconds: Annotated[float, In("commercelayer", "longest time to go on retrying without any progress")] = 300.0

    via: Annotated[
        Literal["pages", "exports", "auto"],
        In("pull", 'how payments are read: by "pages", by "exports", or "auto": by exports where they are many'),
    ] = "pages"
    since: Annotated[str | None, In("pull", "only payments created at or after this date or time (UTC)")] = None
    until: Annotated[str | None, In("pull", "only payments created before this date or time (UTC)")] = None
    mirror: Annotated[str, In("pull", "folder of the local copy, from which a broken pull goes on")] = ".reconcile"
    incremental: Annotated[bool, In("pull", "read only what changed since the last finished pull")] = False
    overlap_minutes: Annotated[
        int, In("pull", "an incremental pull reads again what changed so long before the last one began")
    ] = 60

    orders: Annotated[
        tuple[str, ...], In("orders", 'files, patterns, folders, addresses, or "commerce-layer"', key="files")
    ] = ()
    orders_sql: Annotated[
        str | None, In("orders", "query for order totals, or @FILE with one; it needs an ORDER BY", key="sql")
    ] = None
    orders_db: Annotated[
        str | None, In("orders", "its database: postgresql://HOST/NAME, duckdb:FILE or sqlite:FILE", key="database")
    ] = None
    currency: Annotated[str | None, In("orders", "currency of all rows, where the files have no such column")] = None
    decimal: Annotated[str, In("orders", 'decimal sign: "." or ","')] = "."
    thousands: Annotated[str | None, In("orders", "thousands separator; default none")] = None
    amount_unit: Annotated[
        Literal["minor", "major"] | None,
        In("orders", 'unit of amounts; default: "minor" (whole cents) in columns named ...cents, else "major"'),
    ] = None
    accounting: Annotated[
        tuple[str, ...],
        In("orders", 'forms of amounts: "parentheses", "trailing_minus", "cr_dr", "soll_haben", "currency"'),
    ] = ()
    date_format: Annotated[str | None, In("orders", "how dates are written, as strptime has it; default ISO 8601")] = (
        None
    )
    continuation_rows: Annotated[
        Literal["empty", "repeated"] | None,
        In("orders", 'leave out further rows of an order, where its total is "empty" or "repeated" in them'),
    ] = None
    delimiter: Annotated[str | None, In("orders", "column separator of text files; default: detected")] = None
    quote: Annotated[str | None, In("orders", "quote of text files; default: detected")] = None
    encoding: Annotated[str | None, In("orders", "encoding of text files; default: UTF-8, or by byte order mark")] = (
        None
    )
    sheet: Annotated[
        str | None, In("orders", "sheet of a spreadsheet; default: the first visible one that has the columns")
    ] = None
    download_limit: Annotated[
        str, In("orders", "size up to which a file is fetched from an address, or read from standard input")
    ] = "4GB"
    max_rejects: Annotated[int, In("orders", "rows that may be unreadable before the run stops")] = 0
    reference_column: Annotated[str | None, In("orders.columns", "column of the reference", key="reference")] = None
    amount_column: Annotated[str | None, In("orders.columns", "column of the order total", key="amount")] = None
    currency_column: Annotated[str | None, In("orders.columns", "column of the currency", key="currency")] = None
    order_number_column: Annotated[str | None, In("orders.columns", "column of the number", key="order_number")] = None
    order_id_column: Annotated[str | None, In("orders.columns", "column of the order id", key="order_id")] = None
    ordered_on_column: Annotated[str | None, In("orders.columns", "column of the date", key="ordered_on")] = None
    sign_column: Annotated[
        str | None, In("orders.columns", "column of debit and credit, which makes credits negative", key="sign")
    ] = None

    on: Annotated[tuple[str, ...], In("match", "keys to match on, in this order")] = (
        "reference",
        "order_number",
        "order_id",
    )
    amount_basis: Annotated[AmountBasis, In("match", "which total of the linked order is the payment's amount")] = (
        "total_amount_with_taxes_cents"
    )
    tolerance_cents: Annotated[int | None, In("match", "largest difference that is no break, in minor units")] = None
    tolerance_percent: Annotated[str | None, In("match", 'the same in percent of the order total, as text: "0.5"')] = (
        None
    )
    tolerances: Annotated[
        dict[str, Tolerance],
        In("match", 'tolerance of a currency, such as { SEK = { cents = 50 }, EUR = { percent = "0.1" } }'),
    ] = {}
    lag_days: Annotated[
        int, In("match", "days a payment or an order row may wait for its counterpart before it is a break", "lag")
    ] = 0
    group_orders: Annotated[Literal["sum"] | None, In("match", '"sum" adds up order rows of one key first')] = None
    clean_case: Annotated[
        Literal["fold"] | None, In("match.clean", "upper and lower case make no difference between two keys", "case")
    ] = None
    clean_replace: Annotated[
        tuple[Replacement, ...],
        In("match.clean", "regular expressions (RE2), and what comes in place of what they fit", "replace"),
    ] = ()
    clean_strip_prefix: Annotated[
        tuple[str, ...], In("match.clean", "texts that a key may begin with; the longest is taken off", "strip_prefix")
    ] = ()
    clean_strip_suffix: Annotated[
        tuple[str, ...], In("match.clean", "texts that a key may end with; the longest is taken off", "strip_suffix")
    ] = ()
    clean_strip_zeros: Annotated[
        bool, In("match.clean", "leading zeros of a key of digits make no difference", "strip_zeros")
    ] = False
    clean_pad_zeros: Annotated[
        int | None,
        In("match.clean", "in place of strip_zeros: keys of digits get zeros in front, up to so many", "pad_zeros"),
    ] = None
    clean_keys: Annotated[tuple[str, ...], In("match.clean", "the keys that these rules apply to", "keys")] = (
        "reference",
        "order_number",
    )
    clean_sides: Annotated[tuple[str, ...], In("match.clean", "the sides that these rules apply to", "sides")] = (
        "payments",
        "orders",
    )

    out: Annotated[str, In("run", "folder of the run folders")] = "runs"
    on_empty_payments: Annotated[OnEmpty, In("run", 'what it means that there are no payments: "fail" or "warn"')] = (
        "fail"
    )
    on_empty_orders: Annotated[OnEmpty, In("run", "the same for order rows")] = "fail"
    fail_on: Annotated[tuple[str, ...], In("run", 'limits, such as "breaks>0", "amount>100.00EUR", "percent>0.1"')] = ()
    warn_on: Annotated[tuple[str, ...], In("run", "the same, to be told as a warning")] = ()
    memory_limit: Annotated[str, In("run", "memory the matching may use before it spills to disk")] = "2GB"
    engine: Annotated[
        Literal["duckdb", "spark"], In("run", 'what matches: "duckdb" on this machine, or "spark" on a cluster')
    ] = "duckdb"
    spark_master: Annotated[
        str, In("run", 'where Spark runs, such as "spark://HOST:PORT"; its workers must see the run folder')
    ] = "local[*]"
    load_to: Annotated[str | None, In("run", 'warehouse to load into, such as "duckdb:warehouse.duckdb"')] = None

    html: Annotated[bool, In("reports", "write report.html, the page")] = True
    xlsx: Annotated[
        bool, In("reports", "write report.xlsx, the workbook; of a million items it takes longer than the matching")
    ] = True
    locale: Annotated[
        str | None, In("reports", 'numbers and dates for people as in this locale, such as "de-DE"; default: ISO')
    ] = None

    def public(self) -> dict[str, Any]:
        """Return the settings as plain values for the manifest; there is no secret among them."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        values["orders"] = [printable(without_secrets(word)) for word in self.orders]
        values["orders_db"] = self.orders_db and shown_url(self.orders_db)
        return values


@dataclass(frozen=True, slots=True)
class Secrets:
    """Client id and secret; neither is shown by `repr`."""

    client_id: str = dataclasses.field(repr=False)
    client_secret: str = dataclasses.field(repr=False)


def load_settings(
    config: Path | None = None, *, environ: Mapping[str, str], options: Mapping[str, Any] | None = None
) -> Settings:
    """
    Return the settings of `config` (default: `reconcile.toml` in the working directory, if there), `environ`
    and `options` (None values do not count), the later over the earlier.

    Raises SettingsError that lists every problem of its source.
    """
    values: dict[str, Any] = {}
    path = config or Path(FILE_NAME)
    if config is not None or path.is_file():
        values |= _from_toml(path)
    values |= _from_environment(environ)
    given = {name: value for name, value in (options or {}).items() if value is not None and value != ()}
    return _checked(Settings(**values | given))


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting of reconcile and is none."""
    names = [*_declared(), *(f"{name}{ending}" for name in ("client_id", "client_secret") for ending in ("", "_file"))]
    known = [PREFIX + name.upper() for name in names]
    sentences = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.7)
            sentences.append(f"{variable} is no setting" + (f" (did you mean {near[0]}?)" if near else ""))
    return sentences


def read_secrets(environ: Mapping[str, str]) -> Secrets:
    """
    Return the credentials of `RECONCILE_CLIENT_ID` and `RECONCILE_CLIENT_SECRET`, or of the files that
    `RECONCILE_CLIENT_ID_FILE` and `RECONCILE_CLIENT_SECRET_FILE` name.

    Raises SettingsError naming what is missing; never with a value in it.
    """
    return Secrets(_secret("CLIENT_ID", environ), _secret("CLIENT_SECRET", environ))


def secret_texts(environ: Mapping[str, str]) -> list[str]:
    """Return what must appear in no log: the client secret, wherever it comes from, and a database's password."""
    others = passwords(environ.get(f"{PREFIX}ORDERS_DB", ""))
    try:
        return [_secret("CLIENT_SECRET", environ), *others]
    except SettingsError:
        return [*(text for text in (environ.get(f"{PREFIX}CLIENT_SECRET"),) if text), *others]


def parse_moment(text: str, name: str) -> datetime:
    """
    Return an ISO 8601 date ("2026-11-01", its first instant in UTC) or date-time (UTC unless it has an offset).

    Raises SettingsError naming the setting `name`.
    """
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar end elsewhere in UTC
        raise SettingsError(
            f'{name}: "{text}" is not a date or time', hint='write "2026-11-01" or "2026-11-01T06:00:00Z"'
        ) from None


def clean_settings(rules: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the settings that `rules` are: a table `[match.clean]` as a dictionary, such as `{"case": "fold"}`.

    Raises SettingsError that lists every problem.
    """
    return _converted({"match": {"clean": rules}}, "clean")


def commented_toml() -> str:
    """Return a `reconcile.toml` that names every setting with its meaning and default, all commented out."""
    lines = [
        "# Settings of reconcile. Every setting is commented out and shows its default, or an example.",
        "# The environment (RECONCILE_…) goes over this file, options of the command line over both.",
        f"# Credentials are no settings: {PREFIX}CLIENT_ID and {PREFIX}CLIENT_SECRET, or {PREFIX}CLIENT_SECRET_FILE.",
    ]
    table = ""
    for name, (place, _) in _declared().items():
        if place.table != table:
            table = place.table
            lines += ["", f"[{table}]"]
        lines += [f"# {place.about}", f"#{place.key or name} = {_EXAMPLES.get(name) or _default(name)}"]
    return "\n".join(lines) + "\n"


_EXAMPLES = {
    "organization": '"my-shop"',
    "api_url": '"https://my-shop.commercelayer.io/api"',
    "auth_url": '"https://auth.commercelayer.io"',
    "mode": '"live"',
    "scope": '"market:all"',
    "allowance": '"/var/lib/reconcile/allowance"',
    "since": '"2026-01-01"',
    "until": '"2026-11-01T00:00:00Z"',
    "orders": '["exports/orders-*.csv"]',
    "orders_sql": '"SELECT reference, total, currency FROM orders ORDER BY reference"',
    "orders_db": '"postgresql://reader@db.example.com/books"',
    "currency": '"EUR"',
    "thousands": '" "',
    "amount_unit": '"minor"',
    "accounting": '["parentheses"]',
    "date_format": '"%d.%m.%Y"',
    "continuation_rows": '"empty"',
    "delimiter": '";"',
    "quote": '"\'"',
    "encoding": '"cp1252"',
    "sheet": '"Orders"',
    "reference_column": '"Our reference"',
    "amount_column": '"Gross total"',
    "currency_column": '"Currency"',
    "order_number_column": '"Order no."',
    "order_id_column": '"Commerce Layer id"',
    "ordered_on_column": '"Order date"',
    "sign_column": '"Debit/Credit"',
    "tolerance_cents": "5",
    "tolerance_percent": '"0.5"',
    "tolerances": "{ SEK = { cents = 50 } }",
    "group_orders": '"sum"',
    "clean_case": '"fold"',
    "clean_replace": "[{ pattern = '^INV[0-9]{4}/', with = \"\" }]",
    "clean_strip_prefix": '["PO-", "WEB-"]',
    "clean_strip_suffix": '["-A"]',
    "clean_strip_zeros": "true",
    "clean_pad_zeros": "10",
    "fail_on": '["breaks>0"]',
    "warn_on": '["within_tolerance.amount>10.00EUR"]',
    "load_to": '"duckdb:warehouse.duckdb"',
    "locale": '"de-DE"',
}


def _default(name: str) -> str:
    fields = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    return msgspec.json.encode(fields[name]).decode()


def _declared() -> dict[str, tuple[In, Any]]:
    """Return name → (place, type) of each setting."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    return {name: (hint.__metadata__[0], hint.__origin__) for name, hint in hints.items()}


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        # A fraction stays the text it was written as: 0.1 percent is not the float 0.1.
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file", hint="`reconcile init` writes one") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    return _converted(document, str(path))


def _converted(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    types = {name: type_ for name, (_, type_) in _declared().items()}
    fields = {(place.table, place.key or name): name for name, (place, _) in _declared().items()}
    fields |= {(place.table, name): name for name, (place, _) in _declared().items()}  # as the option is called
    tables = {table for table, _ in fields}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for table, key, value in _entries(document, tables):
        name = fields.get((table, key))
        where = f"[{table}] {key}" if table else key
        if name is None:
            problems.append(f"{where}: there is no such setting{_nearest(table, key, fields)}")
            continue
        try:
            if name == "tolerance_percent" and type(value) is int:
                value = str(value)
            values[name] = msgspec.convert(value, types[name], strict=types[name] is not float)
            if name == "orders_db" and passwords(values[name]):
                problems.append(f"{where}: holds a password: use {PREFIX}ORDERS_DB, PGPASSWORD or ~/.pgpass for it")
        except msgspec.ValidationError as error:
            problems.append(f"{where}: {_in_words(error)}")
    if problems:
        raise SettingsError(
            f"{source}: " + "; ".join(problems), hint="`reconcile init` shows every setting with its meaning"
        )
    return values


_WORDS = {
    "`int | null`": "a whole number",
    "`int`": "a whole number",
    "`float`": "a number",
    "`str | null`": "text in quotes",
    "`str`": "text in quotes",
    "`array`": "a list",
}


def _in_words(error: msgspec.ValidationError) -> str:
    text = str(error).replace("Expected", "expected").replace("Invalid", "invalid")
    text = text.replace("Object contains unknown field", "there is no").replace(
        "Object missing required field", "lacks"
    )
    expected, got, _ = text.partition(", got ")
    for type_, word in _WORDS.items():
        expected = expected.replace(type_, word)
    if got:
        return expected
    return re.sub(r" - at `\$\[(\d+)\]`$", lambda place: f" (entry {int(place[1]) + 1})", text)


def _entries(document: Mapping[str, Any], tables: set[str], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    for key, value in document.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and path in tables:
            yield from _entries(value, tables, path)
        else:
            yield prefix, key, value


def _nearest(table: str, key: str, fields: Mapping[tuple[str, str], str]) -> str:
    known = {f"[{known_table}] {known_key}" for known_table, known_key in fields}
    near = difflib.get_close_matches(f"[{table}] {key}", known, n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, (_, type_) in _declared().items():
        variable = PREFIX + name.upper()
        text = environ.get(variable)
        if not text:
            continue
        try:
            if type_ == tuple[str, ...]:
                values[name] = tuple(part.strip() for part in text.split(",") if part.strip())
            elif name in ("tolerances", "clean_replace"):
                values[name] = msgspec.json.decode(text, type=type_)
            else:
                values[name] = msgspec.convert(text, type_, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{variable}: {_in_words(error)}")
        except msgspec.DecodeError:
            problems.append(f"{variable}: is not JSON")
    if problems:
        raise SettingsError("; ".join(problems))
    return values


def check_texts(values: Mapping[str, Any]) -> None:
    """Raise SettingsError when a string among `values`, by the name of its setting, cannot be written to a file."""
    for name, value in values.items():
        several = value if isinstance(value, tuple | list) else [value]
        for text in (str(one) for one in several if isinstance(one, str | Path)):
            # Not shown: an address may hold a password.
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise SettingsError(
                    f"{name}: is not UTF-8",
                    hint="rename the file or folder, or name it by a pattern"
                    if "orders" in name
                    else "rename the file or folder, or write the text anew",
                )
            if "\0" in text:
                raise SettingsError(f"{name}: holds the character U+0000", hint="write the text anew, without it")


def _checked(settings: Settings) -> Settings:
    problems = []
    check_texts(msgspec.to_builtins(settings))
    if not 0 < settings.rate_share <= 1:
        problems.append("rate_share must be above 0 and at most 1")
    for name in ("timeout_seconds", "retry_seconds"):
        if getattr(settings, name) <= 0:
            problems.append(f"{name} must be above 0")
    if settings.decimal not in (".", ","):
        problems.append('decimal must be "." or ","')
    if settings.thousands == settings.decimal:
        problems.append("decimal and thousands must differ")
    for name in ("max_rejects", "lag_days", "overlap_minutes"):
        if getattr(settings, name) < 0:
            problems.append(f"{name} must not be negative")
    since = settings.since and parse_moment(settings.since, "since")
    until = settings.until and parse_moment(settings.until, "until")
    if since and until and since >= until:
        problems.append("since must be before until")
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def _secret(name: str, environ: Mapping[str, str]) -> str:
    variable, file_variable = PREFIX + name, f"{PREFIX}{name}_FILE"
    value, file_name = environ.get(variable), environ.get(file_variable)
    if value and file_name:
        raise SettingsError(f"{variable} and {file_variable} are both set", hint="keep one of them")
    if file_name:
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file_variable}: {file_name} cannot be read: {error}") from error
    if not value:
        raise SettingsError(
            f"no credentials: {variable} is not set",
            hint=f"set {variable}, or {file_variable} to a file that holds it; "
            "an integration of your Commerce Layer organization has both values",
        )
    return value
