"""
Both sides made ready to be matched: keys as they are compared, facts for the proof, and what the rules changed.

Knows in which order a side is cleaned and measured, and keeps it as it was written for hints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconcile.matching.engines.local import Relation
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.keys.cleaning import count_changes, with_clean_texts, with_rules
from reconcile.matching.keys.rules import SIDES, CleanRules, Side
from reconcile.matching.policy import SIDE_KEYS
from reconcile.matching.proof import side_facts
from reconcile.matching.report import KeyCleaning, SideFacts
from reconcile.matching.sides import with_known_values, with_order_reference


@dataclass(frozen=True, slots=True)
class PreparedSide:
    """
    One side before the passes.

    frame      the rows, with keys as they are compared; `written`: with clean keys before any rule
    facts      what went in: totals, usable keys, identities
    cleaning   what the rules did to each key that they apply to; empty without rules
    """

    frame: Frame
    written: Frame
    facts: SideFacts
    cleaning: tuple[KeyCleaning, ...]


def prepare_sides(
    engine: Engine,
    raw: tuple[Frame, Frame],
    paths: tuple[str, str],
    rules: CleanRules,
    relation: Relation,
    worth: Callable[[Frame], Frame],
) -> tuple[PreparedSide, PreparedSide]:
    """
    Return payments and orders with clean keys under `rules`; `raw` is both as opened, from `paths`.

    `worth` tells what payments are worth, before any key is changed.
    Raises PaymentFileError or OrderFileError for what no proof is possible with.
    """
    known = (worth(with_known_values(raw[0], "p")), with_known_values(raw[1], "o"))
    payments, orders = (
        _prepared(engine, sides, side, path, rules, relation)
        for sides, side, path in zip(zip(raw, known, strict=True), SIDES, paths, strict=True)
    )
    return payments, orders


def _prepared(
    engine: Engine, opened: tuple[Frame, Frame], side: Side, path: str, rules: CleanRules, relation: Relation
) -> PreparedSide:
    x, keys, (raw, known) = side[0], rules.keys_of(side), opened
    written = with_clean_texts(engine, known, [f"{x}_{key}" for key in SIDE_KEYS[side]])
    frame = written
    if keys:
        # Kept, not run again for each of its uses: rules take longer than reading what they made.
        frame = engine.settle(with_rules(engine, written, [f"{x}_{key}" for key in keys], rules))
    if side == "orders":
        written, frame = with_order_reference(written), with_order_reference(frame)
    facts = side_facts(relation(raw), relation(frame), side, path)
    cleaning = (count_changes(engine, written, f"{x}_{key}", rules, side=side, key=key) for key in keys)
    return PreparedSide(frame, written, facts, tuple(cleaning))
