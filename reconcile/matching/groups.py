"""
Order rows that stand together: which rows count as one order, and the text that names a row across runs.

Knows keys, currencies and sums of the order side.
"""

from __future__ import annotations

import narwhals.stable.v2 as nw

from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.policy import ORDER_KEYS, MatchPolicy, order_column
from reconcile.matching.sides import ORDER_SIDE, with_order_reference


def narrowed(frame: Frame, *columns: str) -> Frame:
    """Return counts and sums in 64 bits: DuckDB's SUM of 64 bits has 128, and its counts are of several types."""
    return frame.with_columns(*(nw.col(column).cast(nw.Int64()) for column in columns))


# By place; rows without a source are distinguished by their values, and equal rows are interchangeable.
_FIRST_BY = (
    "o_source_file",
    "o_source_line",
    "o_amount",
    "o_reference",
    "o_order_number",
    "o_order_id",
    "o_reference_raw",
    "o_ordered_on",
    "o_row",
)


def part(policy: MatchPolicy) -> nw.Expr:
    """Return what distinguishes the order rows of one key: the row, or with group_orders the currency."""
    row = nw.concat_str([nw.lit("row:"), nw.col("o_row").cast(nw.String())])
    if policy.group_orders is None:
        return row
    # A row without amount or currency cannot be added to others: it stays a row of its own.
    summable = ~(nw.col("o_amount").is_null() | nw.col("o_currency").is_null())
    return nw.when(summable).then(nw.concat_str([nw.lit("currency:"), nw.col("o_currency")])).otherwise(row)


def grouped(engine: Engine, orders: Frame, pairs: Frame, policy: MatchPolicy) -> tuple[Frame, Frame]:
    """
    Make one line of the order rows that count as one order: those paired with one payment; among the unpaired, those
    of one currency and one leading key (the first of the passes' keys that they have).

    The line has the summed amount, the number of rows, the earliest date, the keys that all its rows have in common,
    and all else of its first row by file and line. Returns the order side and the pairs, both with that first row
    standing for its group.
    """
    if policy.group_orders is None:
        return orders.with_columns(nw.lit(1, dtype=nw.Int64()).alias("order_rows")), pairs
    keys = [
        nw.when(~nw.col(f"o_{key}").is_null()).then(nw.concat_str([nw.lit(f"{key}:"), nw.col(f"o_{key}")]))
        for key in dict.fromkeys(map(order_column, policy.on))
    ]
    own = nw.concat_str([nw.lit("row:"), nw.col("o_row").cast(nw.String())])
    unpaired = nw.coalesce(*(nw.concat_str([part(policy), nw.lit(":"), key]) for key in keys), own)
    paired = nw.concat_str([nw.lit("pair:"), nw.col("p_row").cast(nw.String())])
    rows = orders.join(pairs, on="o_row", how="left").with_columns(part(policy).alias("part"))
    rows = rows.with_columns(nw.when(~nw.col("p_row").is_null()).then(paired).otherwise(unpaired).alias("group"))
    rows = engine.settle(rows.with_columns(nw.col("o_met").cast(nw.Int64()).alias("met")))
    ranked = engine.settle(engine.with_rank(rows, "rank", _FIRST_BY))
    groups = ranked.group_by("group").agg(
        nw.len().alias("order_rows"),
        nw.col("o_amount").sum().alias("sum"),
        nw.col("o_ordered_on").min().alias("first_on"),
        nw.col("met").max().alias("any_met"),
        nw.col("rank").min().alias("first"),
        *(nw.col(f"o_{key}").n_unique().alias(f"n_{key}") for key in ORDER_KEYS),
    )
    groups = narrowed(groups, "order_rows", "sum", "first")
    firsts = engine.settle(ranked.join(groups, left_on=["group", "rank"], right_on=["group", "first"], how="inner"))
    changed = firsts.with_columns(
        nw.when(nw.col("order_rows") > 1).then(nw.col("sum")).otherwise(nw.col("o_amount")).alias("o_amount"),
        nw.col("first_on").alias("o_ordered_on"),
        (nw.col("any_met") > 0).alias("o_met"),
        *(nw.when(nw.col(f"n_{key}") == 1).then(nw.col(f"o_{key}")).alias(f"o_{key}") for key in ORDER_KEYS),
    )
    lines = with_order_reference(changed).select(*ORDER_SIDE, "o_met", "order_rows")
    pairs = firsts.filter(~nw.col("p_row").is_null()).select("p_row", "o_row", "matched_on")
    return lines, engine.settle(pairs)


def with_order_text(engine: Engine, orders: Frame, pairs: Frame) -> Frame:
    """
    Add `order_text`, which names an order row without payment by its keys, and `order_rank`, its place among such rows.

    The text is "order", then each key after its length, then which of the rows with these keys it is (from 1, by
    currency, amount, file, line): it stays the same when files are renamed, rows move, or unrelated rows come and go.
    """
    keys = [nw.col(f"o_{key}").fill_null("") for key in ORDER_KEYS]
    lengths = [key.str.len_chars().cast(nw.String()) for key in keys]
    parts = [part for length, key in zip(lengths, keys, strict=True) for part in (length, key)]
    alone = orders.join(pairs, on="o_row", how="anti")
    alone = engine.settle(
        alone.select(
            "o_row",
            "o_amount",
            "o_currency",
            "o_source_file",
            "o_source_line",
            "o_reference_raw",
            "o_ordered_on",
            nw.concat_str([nw.lit("order"), *parts], separator=":").alias("keys"),
        )
    )
    order = ["keys", "o_currency", "o_amount", "o_source_file", "o_source_line", "o_reference_raw", "o_ordered_on"]
    ranked = engine.settle(engine.with_rank(alone, "order_rank", order))
    first = ranked.group_by("keys").agg(nw.col("order_rank").min().alias("first"))
    named = ranked.join(first, on="keys", how="inner")
    occurrence = (nw.col("order_rank") - nw.col("first") + 1).cast(nw.String())
    named = named.select(
        "o_row",
        nw.concat_str([nw.col("keys"), occurrence], separator=":").alias("order_text"),
        nw.col("order_rank").cast(nw.Int64()),
    )
    return orders.join(named, on="o_row", how="left")
