"""
Keys as they are compared: NFC and outer white space, then the declared rules, in frames of any engine.

Rules are expressions that every engine runs alike, so that no column of keys comes into Python; what engines do not do
alike (NFC, the case of other letters than ASCII's) is done by Python, on the distinct strings that may need it. Counts
what each rule changed. Does not know which columns a side has, and does not compare sides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import narwhals.stable.v2 as nw

from reconcile.keys import WHITE_SPACE, clean_key, fold_key
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.keys.rules import CleanRules, Side
from reconcile.matching.report import KeyCleaning

# Over-detects (a string with a control character inside is clean), but never misses: what it does not find is
# printable ASCII without outer blanks, which both NFC and strip leave as it is.
_MAYBE_UNCLEAN = r"^$|^[^!-~]|[^!-~]$|[^ -~]"
_NOT_ASCII = r"[^ -~]"
_MAYBE_BLANK = r"^[^!-~]|[^!-~]$"


def with_clean_texts(engine: Engine, frame: Frame, columns: Sequence[str]) -> Frame:
    """Return `frame` with the strings of `columns` NFC-normalised and stripped; blank ones are null."""
    suspect = nw.any_horizontal(*(nw.col(key).str.contains(_MAYBE_UNCLEAN) for key in columns), ignore_nulls=True)
    suspects = engine.settle(frame.filter(suspect).select(*columns))
    for column in columns:
        frame = _with_python(engine, frame, column, suspects, clean_key)
    return frame


def with_rules(engine: Engine, frame: Frame, columns: Sequence[str], rules: CleanRules) -> Frame:
    """Return `frame` with the clean strings of `columns` under `rules`; those of which nothing is left are null."""
    for column in columns:
        for _, apply in _steps(rules):
            frame = apply(engine, frame, column)
        frame = frame.with_columns(nw.when(nw.col(column) != "").then(nw.col(column)).alias(column))
    return frame


def count_changes(engine: Engine, frame: Frame, column: str, rules: CleanRules, *, side: Side, key: str) -> KeyCleaning:
    """Return what `rules` do to the clean strings of one column of `frame`."""
    frame = frame.select(nw.col(column).alias("raw"), nw.col(column).alias("now"))
    counted = []
    for place, (_, apply) in enumerate(_steps(rules)):
        frame = apply(engine, frame.with_columns(nw.col("now").alias("before")), "now")
        counted.append(f"rule_{place}")
        frame = frame.with_columns((nw.col("now") != nw.col("before")).cast(nw.Int64()).alias(counted[-1]))
    frame = frame.with_columns((nw.col("now") == "").cast(nw.Int64()).alias("emptied"))
    sums = engine.to_arrow(frame.select(nw.col(*counted, "emptied").sum()))
    *changed, emptied = (int(one[0].as_py() or 0) for one in sums.columns)
    return KeyCleaning(
        side=side,
        key=key,
        changed=dict(zip(rules.names, changed, strict=True)),
        emptied=emptied,
        collisions=_collisions(engine, frame.filter(nw.col("now") != "").select("raw", "now")) if any(changed) else 0,
    )


def _collisions(engine: Engine, texts: Frame) -> int:
    # Most keys are there once: two rows of one key come first, and only those are looked at.
    twice = texts.group_by("now").agg(nw.len().alias("n")).filter(nw.col("n") > 1).select("now")
    met = texts.join(engine.settle(twice), on="now", how="semi")
    written = met.group_by("now").agg(nw.col("raw").n_unique().alias("ways")).filter(nw.col("ways") > 1)
    return int(engine.to_arrow(written.select(nw.len().alias("keys"))).column("keys")[0].as_py())


_Step = Callable[[Engine, Frame, str], Frame]


def _steps(rules: CleanRules) -> Iterator[tuple[str, _Step]]:
    """Yield the rules that are set with what each does, in their order."""
    for name in rules.names:
        if name == "case":
            yield name, _fold
        elif name.startswith("replace "):
            yield name, _replacing(rules, int(name.removeprefix("replace ")) - 1)
        else:
            yield name, _expression(_rule(name, rules))


def _replacing(rules: CleanRules, place: int) -> _Step:
    one = rules.replace[place]
    pattern = ("(?i)" if rules.case else "") + unicodedata.normalize("NFC", one.pattern)
    with_ = _said(rules)(one.with_)
    trimmed = _expression(_trimmed)
    return lambda engine, frame, key: trimmed(engine, engine.with_replaced(frame, key, pattern, with_), key)


def _said(rules: CleanRules) -> Callable[[str], str]:
    # With `case` a key has no case any more: neither has what is compared with it, or put into it.
    return fold_key if rules.case else partial(unicodedata.normalize, "NFC")


def _rule(name: str, rules: CleanRules) -> Callable[[nw.Expr], nw.Expr]:
    said = _said(rules)
    if name == "strip_prefix":
        return lambda key: _trimmed(_without_prefix(key, [said(prefix) for prefix in rules.strip_prefix]))
    if name == "strip_suffix":
        return lambda key: _trimmed(_without_suffix(key, [said(suffix) for suffix in rules.strip_suffix]))
    width = rules.pad_zeros
    return _without_leading_zeros if width is None else lambda key: _padded(key, width)


def _expression(rule: Callable[[nw.Expr], nw.Expr]) -> _Step:
    return lambda _, frame, column: frame.with_columns(rule(nw.col(column)).alias(column))


def _without_prefix(key: nw.Expr, prefixes: Sequence[str]) -> nw.Expr:
    result = key
    for prefix in sorted(prefixes, key=len):  # the longest is asked first, and so said last
        result = nw.when(key.str.starts_with(prefix)).then(key.str.slice(len(prefix))).otherwise(result)
    return result


def _without_suffix(key: nw.Expr, suffixes: Sequence[str]) -> nw.Expr:
    # A search from the left finds the longest of those that reach the end.
    pattern = "|".join(re.escape(suffix) for suffix in suffixes)
    ends = nw.any_horizontal(*(key.str.ends_with(suffix) for suffix in suffixes), ignore_nulls=False)
    return nw.when(ends).then(key.str.replace_all(rf"(?:{pattern})\z", "")).otherwise(key)


def _trimmed(key: nw.Expr) -> nw.Expr:
    # White space by name, as engines differ in what it is; and only where there may be some, as DuckDB takes its time.
    return nw.when(key.str.contains(_MAYBE_BLANK)).then(key.str.strip_chars(WHITE_SPACE)).otherwise(key)


def _without_leading_zeros(key: nw.Expr) -> nw.Expr:
    of_digits = nw.when(key.str.contains("^0+[1-9][0-9]*$")).then(key.str.replace_all("^0+", ""))
    return of_digits.otherwise(nw.when(key.str.contains("^00+$")).then(nw.lit("0")).otherwise(key))


def _padded(key: nw.Expr, width: int) -> nw.Expr:
    zeros = nw.concat_str([nw.lit("0" * width), key])
    return nw.when(key.str.contains(f"^[0-9]{{1,{width - 1}}}$")).then(zeros.str.tail(width)).otherwise(key)


def _fold(engine: Engine, frame: Frame, column: str) -> Frame:
    """Return `frame` with `column` folded: ASCII by the engine, all else by Python."""
    text = nw.col(column)
    others = engine.settle(frame.filter(text.str.contains(_NOT_ASCII)).select(column).unique())
    frame = _with_python(engine, frame, column, others, fold_key)
    return frame.with_columns(
        nw.when(text.str.contains(_NOT_ASCII)).then(text).otherwise(text.str.to_lowercase()).alias(column)
    )


def _with_python(engine: Engine, frame: Frame, column: str, texts: Frame, change: Callable[[str], str | None]) -> Frame:
    """Return `frame` with what `change` makes of the `texts` in `column` in their place."""
    changed = engine.changed_texts(texts, column, change)
    if changed is None:
        return frame
    columns = frame.collect_schema().names()
    frame = frame.join(changed, left_on=column, right_on="old_text", how="left")
    either = nw.when(nw.col("is_changed")).then(nw.col("new_text")).otherwise(nw.col(column))
    return frame.with_columns(either.alias(column)).select(*columns)
