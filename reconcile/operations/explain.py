"""
Why an item is what it is: both sides as read, the keys it was tried on, the rung that held, and its nights before.

Reads one run folder, and the breaks of the others beside it. Counts keys by the matching's own cleaning and rules, so
that what it says is what was done; decides nothing itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa

from reconcile.errors import OutputError, UnknownItem
from reconcile.files.parquet import scan
from reconcile.history.breaks import SHORT_ID
from reconcile.history.published import breaks_sql, items_sql, read_errors
from reconcile.keys import clean_key
from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.engines.protocol import Frame
from reconcile.matching.keys.cleaning import with_clean_texts, with_rules
from reconcile.matching.keys.rules import SIDES
from reconcile.matching.ladder import allowed_cents
from reconcile.matching.policy import MEANING_OF, SIDE_KEYS, MatchPolicy, Status
from reconcile.matching.sides import orders_from_parquet, payments_from_parquet, with_order_reference
from reconcile.matching.suggestions.candidates import Candidate, candidates
from reconcile.runs.folder import out_of, published, read_manifest
from reconcile.runs.run_folder import RunFolder
from reconcile.schema import Row
from reconcile.settings.stages import settings_of

MOST_ITEMS = 20
"""Items that one name may stand for; a name that stands for more explains none of them."""

_NAMES = (
    "item_id",
    "break_id",
    "payment_id",
    "reference",
    "payment_reference",
    "order_reference",
    "order_number",
    "order_id",
)


@dataclass(frozen=True, slots=True)
class KeyTried:
    """
    One pass as this item saw it.

    `payment` and `order` are its keys under the rules, null where a side has none; `payments` and `orders` are the rows
    of the whole run that have the key.
    """

    key: str
    payment: str | None
    order: str | None
    payments: int
    orders: int
    paired: bool


@dataclass(frozen=True, slots=True)
class BreakNight:
    """A run in which the item was a break."""

    business_date: str
    status: str
    difference_cents: int | None
    accepted_reason: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    One item: the row of ITEMS, the rows of both sides as they were read (null where a side is missing).

    `allowed_cents` is the tolerance in minor units of the order's currency, for a pair. `meaning` says the status in
    words. `candidates` are the nearest rows of the other side, for an item without a partner.
    """

    item: Row
    payment: Row | None
    order: Row | None
    keys: tuple[KeyTried, ...]
    meaning: str
    allowed_cents: int | None
    nights: tuple[BreakNight, ...]
    candidates: tuple[Candidate, ...]

    @property
    def currency_code(self) -> str | None:
        """The currency of the payment, else of the order row."""
        code: str | None = self.item["payment_currency_code"] or self.item["order_currency_code"]
        return code


def explain(folder: Path, name: str) -> list[Explanation]:
    """
    Return the explanations of the items of the run `folder` that `name` names: a reference, number or id.

    Raises UnknownItem when there is none, or more than MOST_ITEMS; OutputError when the folder cannot be read.
    """
    policy = settings_of(read_manifest(folder), folder).policy
    with _reading(folder) as engine:
        items = _named(engine.connection, folder, name)
        sides = _sides(engine, folder, policy)
        return [_explained(engine, folder, item, sides, policy) for item in items]


def items_named(folder: Path, name: str) -> list[Row]:
    """Return the items that `name` names, rows of ITEMS; none where it names nothing. Else raises as `explain`."""
    read_manifest(folder)
    with _reading(folder) as engine:
        return _found(engine.connection, folder, name)


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(temp_directory=None)
    with contextlib.closing(engine), read_errors(folder, "its files cannot be read"):
        yield engine


def _named(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> list[Row]:
    if rows := _found(connection, folder, name):
        return rows
    raise UnknownItem(
        f'"{name}": no item of {folder} has it',
        hint="name a reference, an order number, a payment id or an item id as in items.csv",
    )


def _found(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> list[Row]:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UnknownItem(f"{name!r}: no item has it: it is not UTF-8 text", hint="copy it from items.csv") from None
    wanted = pa.table({"name": list(dict.fromkeys((name, clean_key(name) or name)))})
    connection.register("wanted", wanted)
    items = items_sql(RunFolder(folder).items)
    has_name = " OR ".join(f"{column} IN (SELECT name FROM wanted)" for column in _NAMES)
    rows = _rows(connection, f"SELECT * FROM {items} WHERE {has_name} ORDER BY item_id LIMIT {MOST_ITEMS + 1}")
    if not rows and len(name) >= SHORT_ID:
        begins = " OR ".join(f"starts_with({column}, $1)" for column in ("item_id", "break_id"))
        begun = _rows(connection, f"SELECT * FROM {items} WHERE {begins} LIMIT 2", [name])
        rows = begun if len(begun) == 1 else []
    if len(rows) > MOST_ITEMS:
        raise UnknownItem(
            f'"{name}": more than {MOST_ITEMS} items have it', hint="name one of them by its item id, as in items.csv"
        )
    return rows


def _sides(engine: DuckDBEngine, folder: Path, policy: MatchPolicy) -> dict[str, Frame]:
    frames = (
        payments_from_parquet(engine, RunFolder(folder).payments, policy),
        orders_from_parquet(engine, RunFolder(folder).orders),
    )
    sides: dict[str, Frame] = {
        side: with_rules(
            engine,
            with_clean_texts(engine, frame, [f"{side[0]}_{key}" for key in SIDE_KEYS[side]]),
            [f"{side[0]}_{key}" for key in policy.clean.keys_of(side)],
            policy.clean,
        )
        for side, frame in zip(SIDES, frames, strict=True)
    }
    return {**sides, "orders": with_order_reference(sides["orders"])}


def _explained(
    engine: DuckDBEngine, folder: Path, item: Row, sides: Mapping[str, Frame], policy: MatchPolicy
) -> Explanation:
    payment_side = _first(engine, sides["payments"], {"p_id": item["payment_id"]})
    # In an order book, files of several days may have one name: their rows differ by what they say.
    place = {"source_file": item["order_source_file"], "source_line": item["order_source_line"]}
    said = {"reference_raw": reference} if (reference := item["row_reference"]) is not None else {}
    order_side = _first(engine, sides["orders"], {f"o_{name}": value for name, value in (place | said).items()})
    connection = engine.connection
    payment = _as_read(connection, RunFolder(folder).payments, {"payment_id": item["payment_id"]})
    return Explanation(
        item=item,
        payment=payment,
        order=_as_read(connection, RunFolder(folder).orders, place | said),
        keys=tuple(_tried(engine, sides, policy, item, payment_side, order_side)),
        meaning=MEANING_OF[Status(item["status"])],
        allowed_cents=_allowed(engine, item, policy) if item["matched_on"] is not None else None,
        nights=tuple(_nights(connection, folder, item)),
        candidates=candidates(connection, folder, item),
    )


def _tried(
    engine: DuckDBEngine,
    sides: Mapping[str, Frame],
    policy: MatchPolicy,
    item: Row,
    payment: Row,
    order: Row,
) -> Iterator[KeyTried]:
    for key in policy.on:
        texts = payment.get(f"p_{key}"), order.get(f"o_{key}")
        counts = []
        for side in SIDES:
            column = f"{side[0]}_{key}"
            found = [text for text in dict.fromkeys(texts) if text is not None]
            rows = sides[side].filter(nw.col(column).is_in(found)).select(nw.col(column).count()) if found else None
            counts.append(0 if rows is None else int(engine.to_arrow(rows).column(0)[0].as_py()))
        payments, orders = counts
        yield KeyTried(key, *texts, payments, orders, item["matched_on"] == key)
        if item["matched_on"] == key:
            return  # later passes never saw it


def _first(engine: DuckDBEngine, side: Frame, wanted: Row) -> Row:
    if any(value is None for value in wanted.values()):
        return {}
    claims = [nw.col(name) == nw.lit(value) for name, value in wanted.items()]
    rows: list[Row] = engine.to_arrow(side.filter(*claims).head(1)).to_pylist()
    return rows[0] if rows else {}


def _as_read(connection: duckdb.DuckDBPyConnection, path: Path, wanted: Row) -> Row | None:
    if any(value is None for value in wanted.values()):
        return None
    claims = " AND ".join(f"{name} = ?" for name in wanted)
    rows = _rows(connection, f"SELECT * FROM {scan(path)} WHERE {claims} LIMIT 1", list(wanted.values()))
    return rows[0] if rows else None


def _allowed(engine: DuckDBEngine, item: Row, policy: MatchPolicy) -> int | None:
    amount, code = item["order_amount_cents"], item["order_currency_code"]
    if amount is None or code is None:
        return None
    names = {"o_currency": "order_currency_code", "p_market": "market_name", "p_gateway": "payment_gateway_name"}
    texts = {name: pa.array([item[of]], pa.string()) for name, of in names.items()}
    one = pa.table({"o_amount": pa.array([amount], pa.int64()), **texts})
    allowed = engine.from_arrow(one).select(allowed_cents(policy).alias("allowed"))
    return int(engine.to_arrow(allowed).column(0)[0].as_py())


def _nights(connection: duckdb.DuckDBPyConnection, folder: Path, item: Row) -> list[BreakNight]:
    """Return the nights of the break that `item` is, or of those that it was."""
    until, nights = folder.resolve().name, []
    ids = {item["break_id"]} if item["break_id"] else set()
    item_id = None if ids else item["item_id"]
    for run in reversed([run for run in published(out_of(folder)) if run.name <= until]):
        with contextlib.suppress(
            OutputError, duckdb.IOException, OSError, pa.ArrowException
        ):  # may be cleared away in part
            breaks = breaks_sql(RunFolder(run).breaks, _OF_NIGHT)
            query = f"SELECT * FROM ({breaks}) WHERE list_contains($1, break_id) OR item_id = $2"
            rows = _rows(connection, query, [sorted(ids), item_id])
            ids |= {row["break_id"] for row in rows}
            nights += [_night(row) for row in rows]
    return nights[::-1]


_OF_NIGHT = ("item_id", "break_id", "business_date", "status", "difference_cents", "accepted_reason")


def _night(row: Row) -> BreakNight:
    return BreakNight(row["business_date"].isoformat(), row["status"], row["difference_cents"], row["accepted_reason"])


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = ()) -> list[Row]:
    rows: list[Row] = connection.sql(query, params=list(values)).to_arrow_table().to_pylist()
    return rows
