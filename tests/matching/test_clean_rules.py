"""Clean-up rules: what is refused, what is the same on every engine, what is counted, and what a hint says."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matching_world import Match, match_arrow, orders_table, payments_table
from msgspec.structs import asdict
from oracle import by_rules
from worlds import rules as any_rules

from reconcile.errors import SettingsError
from reconcile.keys import WHITE_SPACE, clean_key, fold_key
from reconcile.matching.engines.arrow import ArrowEngine
from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.engines.protocol import Engine
from reconcile.matching.keys import hints
from reconcile.matching.keys.cleaning import with_rules
from reconcile.matching.keys.rules import NO_RULES, CleanRules, Replacement, join_rules
from reconcile.matching.policy import MatchPolicy


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[Engine, ...]]:
    """The engines that rules run on, opened once."""
    duck = DuckDBEngine(threads=1)
    yield ArrowEngine(), duck
    duck.close()


def cleaned(engine: Engine, texts: list[str], rules: CleanRules) -> list[str | None]:
    """Return the clean texts under `rules`, as one engine has them."""
    table = pa.table({"row": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})
    found = with_rules(engine, engine.from_arrow(table), ["text"], rules).sort("row")
    return [None if text is None else str(text) for text in engine.to_arrow(found).column("text").to_pylist()]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"case": "upper"}, '[match.clean] case "upper" is not "fold"'),
        ({"strip_zeros": True, "pad_zeros": 5}, "strip_zeros and pad_zeros contradict each other"),
        ({"pad_zeros": 1}, "pad_zeros 1 is not a number of digits from 2 to 100"),
        ({"pad_zeros": 101}, "pad_zeros 101 is not a number of digits"),
        ({"strip_prefix": ("PO-", " ")}, "strip_prefix has an empty string"),
        ({"strip_suffix": ("",)}, "strip_suffix has an empty string"),
        ({"keys": ("order_id",)}, "keys ['order_id'] is not a choice of reference, order_number"),
        ({"keys": ()}, "keys [] is not a choice of"),
        ({"sides": ("books",)}, "sides ['books'] is not a choice of payments, orders"),
        ({"replace": (Replacement("a"), Replacement(""))}, "replace, rule 2: the pattern is empty"),
        ({"replace": (Replacement("a("),)}, 'replace, rule 1: "a(" is not a regular expression: missing ): a('),
        ({"replace": (Replacement("(?=a)b"),)}, "is not a regular expression: invalid perl operator: (?="),
        ({"replace": (Replacement("a", r"\1"),)}, r'rule 1: "\1" cannot stand in for "a": Rewrite schema requests 1'),
        ({"replace": (Replacement("a", "\\"),)}, "'\\' not allowed at end"),
    ],
)
def test_rules_that_cannot_hold_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        CleanRules(**rules)

    assert message in caught.value.message


def test_rules_have_one_order_whatever_the_settings_say() -> None:
    rules = CleanRules(
        strip_zeros=True, strip_suffix=("x",), strip_prefix=("y",), replace=(Replacement("a"),) * 2, case="fold"
    )

    assert rules.names == ("case", "replace 1", "replace 2", "strip_prefix", "strip_suffix", "strip_zeros")
    assert NO_RULES.names == ()


def test_rules_are_written_down_as_they_were_set() -> None:
    rules = CleanRules(case="fold", strip_prefix=("PO-",), replace=(Replacement("a", "B"),), sides=("orders",))

    assert rules.as_dict() == {
        "case": "fold",
        "replace": [{"pattern": "a", "with": "B"}],
        "strip_prefix": ["PO-"],
        "sides": ["orders"],
    }
    assert NO_RULES.as_dict() == {}


def test_joined_rules_keep_what_the_first_ones_say() -> None:
    joined = join_rules(CleanRules(pad_zeros=5, strip_prefix=("A",)), CleanRules(strip_zeros=True, strip_prefix=("B",)))

    assert joined == CleanRules(pad_zeros=5, strip_prefix=("A", "B"))


texts = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("aAbBpPoO-017 /éÉ\u0301ßİıςΣſK\u0345"), max_size=8
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(written=st.lists(texts, max_size=20), rules=any_rules)
@example(
    written=["İ", "I", "ı", "ſ", "\u212a", "ß", "ẞ", "ς", "Σ", "\u13a0", "\uab70", "ŉ", "\u0345a"],
    rules=CleanRules(case="fold"),
)
@example(
    written=["PO-\u3000A", "A\u00a0/1", "\x1c7", "PO-\x85", "0\n1"],
    rules=CleanRules(strip_prefix=("PO-",), strip_suffix=("/1",)),
)
def test_every_engine_cleans_alike_and_as_python_reads_the_rules(
    engines: tuple[Engine, ...], written: list[str], rules: CleanRules
) -> None:
    keys = [key for key in map(clean_key, written) if key]

    expected = [by_rules(key, rules) or None for key in keys]
    assert [cleaned(engine, keys, rules) for engine in engines] == [expected] * len(engines)


@pytest.mark.parametrize(
    "rules", [CleanRules(case="fold"), CleanRules(strip_zeros=True), CleanRules(pad_zeros=4)], ids=lambda r: r.names[0]
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(written=st.lists(texts | st.from_regex("0{0,3}[0-9]{0,4}", fullmatch=True), max_size=20))
def test_case_and_zeros_are_settled_by_one_go(
    engines: tuple[Engine, ...], rules: CleanRules, written: list[str]
) -> None:
    """A prefix is not: "PO-PO-1" loses one of its two."""
    once = [key for key in cleaned(engines[0], [key for key in map(clean_key, written) if key], rules) if key]

    assert cleaned(engines[0], once, rules) == once


def test_folding_keeps_what_it_has_folded_and_white_space_is_all_there_is() -> None:
    letters = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]

    assert [sign for sign in letters if fold_key(fold_key(sign)) != fold_key(sign)] == []
    assert {sign for sign in letters if sign.isspace()} == set(WHITE_SPACE)


def test_what_the_rules_did_is_counted_by_side_key_and_rule(match: Match) -> None:
    payments = payments_table(
        [{"reference": "17"}, {"reference": "PO-18"}, {"order_number": "a"}, {"reference": "PO-"}]
    )
    orders = orders_table(
        [{"reference": text} for text in ("PO-017", "po-17", "17", "PO-018", " 18", "PO-", None, "É", "e\u0301")]
    )
    rules = CleanRules(case="fold", strip_prefix=("PO-",), strip_zeros=True)
    _, report = match(payments, orders, policy=MatchPolicy(clean=rules))

    found = {(one.side, one.key): asdict(one) for one in report.cleaning}
    ours, theirs = ("reference", "order_number", "order_reference"), ("reference", "order_number")
    assert list(found) == [*(("payments", key) for key in ours), *(("orders", key) for key in theirs)]
    assert found["payments", "reference"] == {
        "side": "payments",
        "key": "reference",
        "changed": {"case": 2, "strip_prefix": 2, "strip_zeros": 0},
        "emptied": 1,
        "collisions": 0,
    }
    assert found["payments", "order_number"]["changed"] == {"case": 0, "strip_prefix": 0, "strip_zeros": 0}
    assert found["orders", "reference"] == {
        "side": "orders",
        "key": "reference",
        "changed": {"case": 4, "strip_prefix": 4, "strip_zeros": 2},
        "emptied": 1,
        "collisions": 3,
    }
    usable = {use.key: (use.null, use.blank) for use in report.orders.keys}
    assert usable["reference"] == (1, 1)


def test_the_same_key_written_twice_in_one_way_is_no_collision(match: Match) -> None:
    orders = orders_table([{"reference": "A"}, {"reference": "A "}, {"reference": "B"}])
    _, report = match(payments_table([]), orders, policy=MatchPolicy(clean=CleanRules(case="fold")))

    assert [one.collisions for one in report.cleaning] == [0, 0, 0, 0, 0]


def test_without_rules_nothing_is_counted() -> None:
    _, report = match_arrow(payments_table([{"reference": "A"}]), orders_table([]), policy=MatchPolicy())

    assert report.key_profile.cleaning == ()


Write = Callable[[int], str]


def world(of_payments: Write, of_orders: Write) -> tuple[pa.Table, pa.Table]:
    """Return 40 payments and 60 order rows, their references written in two ways."""
    return (
        payments_table([{"reference": of_payments(number)} for number in range(1, 41)]),
        orders_table([{"reference": of_orders(number)} for number in range(1, 61)]),
    )


@pytest.mark.parametrize(
    ("of_payments", "of_orders", "rule"),
    [
        (lambda n: f"ab{n}c", lambda n: f"AB{n}C", 'case = "fold"'),
        (str, lambda n: f"{n:08}", "strip_zeros = true"),
        (str, lambda n: f"PO-{n}", 'strip_prefix = ["PO-"]'),
        (str, lambda n: f"INV2026-{n}", 'strip_prefix = ["INV2026-"]'),
        (lambda n: f"Ü{n}", lambda n: f"PO-{n}", 'strip_prefix = ["PO-", "Ü"]'),
        (str, lambda n: f"{n}/A", 'strip_suffix = ["/A"]'),
        (lambda n: f"20-{n}", lambda n: f"20 {n}", 'replace = [{ pattern = "[ ._/#-]", with = "" }]'),
        (lambda n: f"{n}", lambda n: f"PO-{n:05}", 'strip_prefix = ["PO-"], strip_zeros = true'),
    ],
)
def test_a_hint_names_the_rule_with_which_keys_would_meet(of_payments: Write, of_orders: Write, rule: str) -> None:
    _, report = match_arrow(*world(of_payments, of_orders), policy=MatchPolicy())

    assert report.hint == f"0 of 40 references are on both sides; with [match.clean] {rule} 40 would be"


@pytest.mark.parametrize("head", ['PO"\\', "PO\x7f", "PO\u2028 \x01", "PO\t'"])
def test_a_hint_is_toml_whatever_the_keys_begin_with(head: str) -> None:
    _, report = match_arrow(*world(str, lambda n: f"{head}{n}"), policy=MatchPolicy())
    rule = (report.hint or "").partition("[match.clean] ")[2].removesuffix(" 40 would be")

    assert tomllib.loads(rule) == {"strip_prefix": [head]}


def test_a_hint_is_the_same_on_every_engine(match: Match) -> None:
    _, report = match(*world(lambda n: f"É{n}", lambda n: f"{n:05}é"), policy=MatchPolicy())

    assert report.hint == (
        '0 of 40 references are on both sides; with [match.clean] strip_prefix = ["É"], strip_suffix = ["é"], '
        "strip_zeros = true 40 would be"
    )


def test_a_hint_comes_on_top_of_the_rules_that_are_set() -> None:
    rules = CleanRules(strip_prefix=("PO-",))
    _, report = match_arrow(*world(str, lambda n: f"PO-{n:04}"), policy=MatchPolicy(clean=rules))

    assert report.hint == "0 of 40 references are on both sides; with [match.clean] strip_zeros = true 40 would be"


def test_a_hint_names_the_column_that_is_taken_for_another() -> None:
    payments = payments_table([{"reference": f"K{n}x", "order_number": f"{n}"} for n in range(60)])
    orders = orders_table([{"reference": f"{n}"} for n in range(30)])
    _, report = match_arrow(payments, orders, policy=MatchPolicy())

    assert report.hint == (
        "0 of 30 references are on both sides, but 30 references of order rows are order numbers of payments: "
        "name that column with --order-number-column"
    )


@pytest.mark.parametrize(
    ("of_payments", "of_orders"),
    [
        (lambda n: f"K{n}", lambda n: f"K{n}"),
        (str, lambda n: f"{n}" if n % 4 == 0 else f"PO-{n}"),
        (lambda n: f"K{n}", lambda n: f"K{n + 1000}"),
        (lambda n: f"{n}", lambda n: f"{n if n > 37 else n + 1000:05}"),  # 3 of 40 would be: too few to tell
    ],
    ids=["they meet", "enough meet", "nothing helps", "hardly anything"],
)
def test_there_is_no_hint_where_none_is_due(of_payments: Write, of_orders: Write) -> None:
    _, report = match_arrow(*world(of_payments, of_orders), policy=MatchPolicy())

    assert report.hint is None


def test_of_many_keys_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch, match: Match) -> None:
    monkeypatch.setattr(hints, "SAMPLE_KEYS", 16)
    _, report = match(*world(str, lambda n: f"PO-{n}"), policy=MatchPolicy())

    assert report.hint == (
        '0 of a sample of 16 references are on both sides; with [match.clean] strip_prefix = ["PO-"] 16 would be'
    )


def test_a_side_of_one_engine_is_a_frame_like_any_other(engines: tuple[Engine, ...]) -> None:
    """Rules leave the other columns and the rows alone."""
    for engine in engines:
        frame = engine.from_arrow(pa.table({"row": [1, 2], "text": ["É", None], "amount": [5, 7]}))
        found = engine.to_arrow(with_rules(engine, frame, ["text"], CleanRules(case="fold")).sort("row"))

        assert found.to_pydict() == {"row": [1, 2], "text": ["é", None], "amount": [5, 7]}
