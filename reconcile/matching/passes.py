"""
The passes: which payment and which order row belong together, and which rows were met but not alone.

Takes the two sides of `sides`, returns rows with both, or one of them. Does not look at amounts, except to sum grouped
order rows, and gives no verdict: that is `ladder`.

Most rows are *lone*: their first key is on exactly one row of each side. These are paired by one join, without being
kept. The rest, the *leftovers*, go through the passes as they are defined (`pair_off`), also through the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import pyarrow as pa
from msgspec.structs import replace

from reconcile.matching.due import has_placed_order
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.groups import grouped, narrowed, part, with_order_text
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import Pass
from reconcile.matching.sides import ORDER_SIDE, PAYMENT_SIDE

MATCHED_SIDES = (
    *(name for name in PAYMENT_SIDE if name != "p_row"),
    *(name for name in ORDER_SIDE if name != "o_row"),
    "matched_on",
    "order_rows",
)
"""Columns of the rows that the passes give: a payment, an order, or both."""


@dataclass(frozen=True, slots=True)
class Paired:
    """
    The outcome of the passes.

    lone        pairs whose first key is on one row of each side: columns MATCHED_SIDES
    leftovers   all other rows, paired or not: MATCHED_SIDES and superseded, p_met, o_met, wrong_mode, order_text
    repeated    first keys that are not lone, with their number of rows: key, n (payments), m (orders)
    """

    lone: Frame
    leftovers: Frame
    repeated: Frame
    passes: tuple[Pass, ...]


def pair_sides(engine: Engine, payments: Frame, orders: Frame, policy: MatchPolicy) -> Paired:
    """
    Pair `payments` with `orders`; every row of both is in the outcome once (grouped order rows: counted in order_rows).

    Null keys never meet anything. Payments of another mode are set aside, and those that are known to be replaced: they
    reach no pass and supersede nobody.
    """
    key = policy.on[0]
    payments = payments.with_columns(_wrong_mode(policy).alias("wrong_mode"))
    p_keyed = payments.filter(~_is_set_aside() & ~nw.col(f"p_{key}").is_null())
    o_keyed = orders.filter(~nw.col(f"o_{key}").is_null())
    repeated = engine.settle(_not_lone(p_keyed, o_keyed, key))

    # A lone key is on one row of each side: taking the others from one side is enough.
    o_lone = o_keyed.join(repeated, left_on=f"o_{key}", right_on="key", how="anti")
    lone = p_keyed.join(o_lone, left_on=f"p_{key}", right_on=f"o_{key}", how="inner").with_columns(
        nw.col(f"p_{key}").alias(f"o_{key}"),
        nw.lit(key).alias("matched_on"),
        nw.lit(1, dtype=nw.Int64()).alias("order_rows"),
    )
    p_left = engine.stacked(
        p_keyed.join(repeated, left_on=f"p_{key}", right_on="key", how="semi"),
        payments.filter(_is_set_aside() | nw.col(f"p_{key}").is_null()),
    )
    o_left = engine.stacked(
        o_keyed.join(repeated, left_on=f"o_{key}", right_on="key", how="semi"),
        orders.filter(nw.col(f"o_{key}").is_null()),
    )
    p_left = engine.settle(_with_superseded(engine, payments, engine.settle(p_left)))
    leftovers, passes = _leftovers(engine, p_left, engine.settle(o_left), policy)
    return Paired(lone.select(*MATCHED_SIDES), leftovers, repeated, passes)


def _wrong_mode(policy: MatchPolicy) -> nw.Expr:
    # A payment whose mode is not known is not of another mode.
    mode = nw.col("p_mode").fill_null(policy.mode or "")
    return mode != nw.lit(policy.mode) if policy.mode else mode != mode


def _is_set_aside() -> nw.Expr:
    return nw.col("wrong_mode") | nw.col("p_is_replaced")


def _not_lone(payments: Frame, orders: Frame, key: str) -> Frame:
    one, none = nw.lit(1, dtype=nw.Int64()), nw.lit(0, dtype=nw.Int64())
    rows = nw.concat(
        [
            payments.select(nw.col(f"p_{key}").alias("key")).with_columns(one.alias("n"), none.alias("m")),
            orders.select(nw.col(f"o_{key}").alias("key")).with_columns(none.alias("n"), one.alias("m")),
        ]
    )
    # DuckDB's SUM of 64 bits has 128: back to what it was.
    counts = narrowed(rows.group_by("key").agg(nw.col("n").sum(), nw.col("m").sum()), "n", "m")
    return counts.filter(~((nw.col("n") == 1) & (nw.col("m") == 1)))


def _with_superseded(engine: Engine, payments: Frame, left: Frame) -> Frame:
    """
    Add the claim `superseded`: another payment is the source of the payment's order.

    Where no payment of the order is known to be, the newest stands for it: the one that was created last (in the same
    moment: has the greater id). All payments that are not set aside are looked at, also those that found their order
    row. Of those that share an order none is superseded.
    """
    has_order = ~_is_set_aside() & ~nw.col("p_order_id").is_null()
    order_ids = left.filter(has_order).select("p_order_id").unique()
    rivals = payments.filter(has_order).select(
        "p_row", "p_id", "p_order_id", "p_created_at", "p_is_share",
        nw.col("p_is_current").fill_null(value=False).cast(nw.Int64()).alias("current"),
    )  # fmt: skip
    rivals = engine.settle(rivals.join(order_ids, on="p_order_id", how="semi"))
    ranked = engine.settle(engine.with_rank(rivals, "age", ["current", "p_created_at", "p_id"]))
    newest = ranked.group_by("p_order_id").agg(nw.col("age").max().alias("newest"))
    older = ranked.join(newest, on="p_order_id", how="inner").filter(
        nw.col("age") < nw.col("newest"), nw.col("current") == 0, ~nw.col("p_is_share")
    )
    older = older.select("p_row").with_columns(nw.lit(value=True).alias("older"))
    left = left.join(older, on="p_row", how="left")
    return left.with_columns((nw.col("p_is_replaced") | nw.col("older").fill_null(value=False)).alias("superseded"))


_PAIRS: dict[str, pa.DataType] = {"p_row": pa.int64(), "o_row": pa.int64(), "matched_on": pa.string()}


def _leftovers(engine: Engine, payments: Frame, orders: Frame, policy: MatchPolicy) -> tuple[Frame, tuple[Pass, ...]]:
    """Run every pass over the rows that are not lone, and join what came of it."""
    # A payment that has nothing left of the order that it shares stands back like one that is superseded.
    has_no_share = nw.col("p_is_share") & (nw.col("p_due") == 0).fill_null(value=False)
    p_free = payments.filter(~_is_set_aside()).with_columns(
        has_placed_order().alias("placed"), (nw.col("superseded") | has_no_share).alias("stands_back")
    )
    o_free = orders.with_columns(part(policy).alias("part"))
    pairs = [engine.from_arrow(pa.schema(_PAIRS).empty_table())]
    p_met, o_met, passes = [pairs[0].select("p_row")], [pairs[0].select("o_row")], []
    for key in policy.on:
        p = p_free.select("p_row", nw.col(f"p_{key}").alias("key"), "stands_back", "placed")
        o = o_free.select("o_row", nw.col(f"o_{key}").alias("key"), "part")
        count, outcome = _one_pass(engine, p.filter(~nw.col("key").is_null()), o.filter(~nw.col("key").is_null()), key)
        passes.append(count)
        if outcome is not None:
            p_met.append(outcome.p_met)
            o_met.append(outcome.o_met)
        if outcome is not None and count.pairs:
            pairs.append(outcome.pairs)
            p_free = engine.settle(p_free.join(outcome.pairs, on="p_row", how="anti"))
            o_free = engine.settle(o_free.join(outcome.pairs, on="o_row", how="anti"))
    paired = engine.settle(nw.concat(pairs))
    o_side = _flagged(orders, nw.concat(o_met), "o_row", "o_met")
    o_side, paired = grouped(engine, o_side, paired, policy)
    p_side = _flagged(payments, nw.concat(p_met), "p_row", "p_met")
    p_side = p_side.join(paired.rename({"o_row": "pair_row"}), on="p_row", how="left")
    o_side = with_order_text(engine, o_side, paired)
    return p_side.join(o_side, left_on="pair_row", right_on="o_row", how="full"), tuple(passes)


@dataclass(frozen=True, slots=True)
class _Outcome:
    pairs: Frame  # p_row, o_row, matched_on; of a group of order rows, one line each
    p_met: Frame  # p_row: the other side has its key
    o_met: Frame  # o_row: the same


def _one_pass(engine: Engine, payments: Frame, orders: Frame, key: str) -> tuple[Pass, _Outcome | None]:
    """
    Pair the keys that one payment and one order (row or group of rows) are left with; None when no key is shared.

    Takes the rows that have the key, as the column `key`. Only where a key has several payments, some are left out: the
    superseded ones and the like; then, if any placed one remains, those whose order is not placed. Leaving out the last
    payment would turn "paid, but never placed" into silence.
    """
    current = ~nw.col("stands_back")
    payments = payments.with_columns(
        current.cast(nw.Int64()).alias("current"), (current & nw.col("placed")).cast(nw.Int64()).alias("current_placed")
    )
    n = payments.group_by("key").agg(
        nw.len().alias("n"),
        nw.col("current").sum().alias("n_current"),
        nw.col("current_placed").sum().alias("n_placed"),
    )
    m = orders.group_by("key").agg(nw.len().alias("m"), nw.col("part").n_unique().alias("n_parts"))
    n, m = engine.settle(narrowed(n, "n", "n_current", "n_placed")), engine.settle(narrowed(m, "m"))
    count = Pass(key, *_numbers(engine, n, m))
    if not count.shared_keys:
        return count, None
    shared = engine.settle(n.join(m, on="key", how="inner"))
    outcome = _pairs_of(engine, payments, orders, shared, key)
    (pairs,) = _whole(engine, outcome.pairs.select(nw.col("p_row").n_unique()))
    return replace(count, pairs=pairs), outcome


def _pairs_of(engine: Engine, payments: Frame, orders: Frame, shared: Frame, key: str) -> _Outcome:
    met = payments.join(shared, on="key", how="inner")
    some_placed = nw.col("n_placed") > 0
    alone = (
        (nw.col("n") == 1)
        | (some_placed & (nw.col("n_placed") == 1) & (nw.col("current_placed") == 1))
        | (~some_placed & (nw.col("n_current") == 1) & ~nw.col("stands_back"))
    )
    chosen = met.filter(alone & (nw.col("n_parts") == 1)).select("p_row", "key")
    pairs = chosen.join(orders.select("o_row", "key"), on="key", how="inner").select("p_row", "o_row")
    return _Outcome(
        pairs=engine.settle(pairs.with_columns(nw.lit(key).alias("matched_on"))),
        p_met=engine.settle(met.select("p_row")),
        o_met=engine.settle(orders.join(shared, on="key", how="semi").select("o_row")),
    )


def _numbers(engine: Engine, n: Frame, m: Frame) -> list[int]:
    """Return payments, orders, keys twice on each side, shared keys: the numbers of a Pass, in one query."""
    keys = n.join(m.rename({"key": "o_key"}), left_on="key", right_on="o_key", how="full")
    claims = {
        "payment_keys_twice": nw.col("n") > 1,
        "order_keys_twice": nw.col("m") > 1,
        "shared_keys": (nw.col("n") > 0) & (nw.col("m") > 0),
    }
    keys = keys.with_columns(*(holds.cast(nw.Int64()).alias(name) for name, holds in claims.items()))
    return _whole(engine, keys.select(nw.col("n", "m", *claims).sum()))


def _whole(engine: Engine, frame: Frame) -> list[int]:
    """Return a frame of one row as Python numbers."""
    return [int(column[0].as_py() or 0) for column in engine.to_arrow(frame).columns]


def _flagged(side: Frame, rows: Frame, row: str, flag: str) -> Frame:
    claim = rows.unique().with_columns(nw.lit(value=True).alias(flag))
    return side.join(claim, on=row, how="left").with_columns(nw.col(flag).fill_null(value=False))
