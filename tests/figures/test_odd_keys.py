"""What is told of odd keys, and that the rule it names takes unseen characters out."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pyarrow as pa

from reconcile.figures.odd_keys import UNSEEN_AS_RULES, odd_keys
from reconcile.matching.engines.arrow import ArrowEngine
from reconcile.matching.keys.cleaning import with_rules
from reconcile.matching.keys.rules import CleanRules
from reconcile.orders.report import TidiedCells


def test_what_was_done_to_keys_is_a_note_and_what_nobody_sees_a_warning() -> None:
    told = odd_keys(
        [TidiedCells("formula", "Ref", 3), TidiedCells("guard", "Ref", 1), TidiedCells("invisible", "No", 2)]
    )

    assert [(one.code, one.level) for one in told] == [("tidied_keys", "note"), ("invisible_keys", "warning")]
    assert told[0].text == (
        'keys were read as they are meant: 3 in "Ref" without ="", 1 in "Ref" without the apostrophe of a spreadsheet'
    )
    assert told[1].figures == {"column": "No", "keys": 2}
    assert odd_keys([]) == []


def test_the_rule_that_is_named_makes_keys_one_that_look_alike() -> None:
    written: Any = tomllib.loads(f"replace = {UNSEEN_AS_RULES}")
    rules = msgspec.convert(written, CleanRules)
    engine = ArrowEngine()
    frame = engine.from_arrow(pa.table({"key": ["\u200bNW-1", "NW\u20111", "NW-1\u00ad", "NW-1\ufeff"]}))

    cleaned = engine.to_arrow(with_rules(engine, frame, ["key"], rules))

    assert cleaned["key"].to_pylist() == ["NW-1"] * 4
