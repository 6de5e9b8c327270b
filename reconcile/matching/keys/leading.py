"""
The key by which an order row is known from delivery to delivery: its document, or the first key that is matched on.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import narwhals.stable.v2 as nw

from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.keys.cleaning import with_rules
from reconcile.matching.policy import MatchPolicy, order_column
from reconcile.schema import DELIVERY

_OF_A_ROW = ("amount_cents", "currency_code", "ordered_on", "reference_raw", "method")


def leading_keys(engine: DuckDBEngine, orders: Path, policy: MatchPolicy) -> duckdb.DuckDBPyRelation:
    """
    Return the rows of a Parquet file of ORDERS or DELIVERY with their place in it (`row`), `key` and `number`.

    `key` is the row's document where it has one, else the first key of `policy.on` that it has, under the rules of
    `policy.clean`; of a row without any, all that it says. `number` is its order number, null beside a document.
    """
    frame = engine.from_parquet(orders, {name: DELIVERY.field(name) for name in DELIVERY.names}, "row")
    columns = list(dict.fromkeys(map(order_column, policy.on)))
    rules = policy.clean
    compared = [name for name in rules.keys_of("orders") if name in (*columns, "order_number")]
    frame = frame.with_columns(*(nw.col(name).alias(f"{name}_compared") for name in (*columns, "order_number")))
    frame = with_rules(engine, frame, [f"{name}_compared" for name in compared], rules)
    keys = [_named("document", nw.col("document")), *(_named(name, nw.col(f"{name}_compared")) for name in columns)]
    whole = [nw.col(name).cast(nw.String()).fill_null("") for name in _OF_A_ROW]
    frame = frame.with_columns(
        nw.coalesce(*keys, nw.concat_str([nw.lit("row"), *whole], separator="\x1f")).alias("key"),
        nw.when(nw.col("document").is_null()).then(nw.col("order_number_compared")).alias("number"),
        nw.col("is_withdrawn").fill_null(value=False),
    )
    return engine.relation(frame.select("row", "key", "number", *DELIVERY.names))


def _named(name: str, column: nw.Expr) -> nw.Expr:
    return nw.when(~column.is_null()).then(nw.concat_str([nw.lit(f"{name}:"), column]))
