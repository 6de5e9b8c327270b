"""
A hint where hardly a key of one side is on the other: the clean-up rule, or the column, with which they would meet.

Tries a few candidates on a sample of keys against the whole other side, and reports what it counted; a hint changes no
match. Does not know amounts, and proposes nothing that it has not counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import narwhals.stable.v2 as nw

from reconcile.files.toml import in_toml
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.keys.cleaning import with_rules
from reconcile.matching.keys.rules import NO_RULES, CleanRules, Replacement, join_rules
from reconcile.matching.policy import KEYS, ORDER_KEYS, MatchPolicy, order_column

SAMPLE_KEYS = 10_000
"""Keys of the smaller side that are looked at: all that most worlds have."""

FEW = 20
"""A hint is looked for where fewer than one key in so many is on both sides."""

_LEAST_ROWS = 10  # fewer are read by eye
_WORDS = {
    "reference": "references",
    "order_reference": "references of orders",
    "order_number": "order numbers",
    "order_id": "order ids",
}
_SIGNS = Replacement("[ ._/#-]")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a candidate would do: keys of the sample on both sides with it, and how to say so."""

    meet: int
    words: str


def key_hint(
    engine: Engine, payments: Frame, orders: Frame, *, rows: tuple[int, int], shared_keys: int, policy: MatchPolicy
) -> str | None:
    """
    Return what would make the keys of both sides meet, with the numbers counted; None where enough of them do, or
    where nothing that is tried here would help.

    `payments` and `orders` have their keys as written (`p_…`, `o_…`, before any rule), and so many `rows`;
    `shared_keys` were on both sides under `policy`.
    """
    if min(rows) < _LEAST_ROWS or shared_keys * FEW >= min(rows):
        return None
    sides = {"p": payments, "o": orders}
    small, large = ("p", "o") if rows[0] <= rows[1] else ("o", "p")
    trial = _Trial(engine, sides[small], sides[large], small, large, policy.clean)
    for key in policy.on:
        total = trial.sample_size(key)
        now = trial.meet(key, key, policy.clean)
        found = [*_by_columns(trial, key), *_by_rules(trial, key, total)]  # of equals, the first
        best = max(found, key=lambda one: one.meet, default=None)
        if best and best.meet * 10 >= total and best.meet > 2 * now:
            sampled = "a sample of " if total >= SAMPLE_KEYS else ""
            return f"{now:,} of {sampled}{total:,} {_WORDS[key]} are on both sides{best.words}"
    return None


class _Trial:
    """A sample of each key of the smaller side, counted against all keys of the other."""

    def __init__(
        self, engine: Engine, small: Frame, large: Frame, small_x: str, large_x: str, rules: CleanRules
    ) -> None:
        self.engine = engine
        self.small_x, self.large_x = small_x, large_x
        self.rules = rules
        self.samples = {key: self._sample(small, f"{small_x}_{key}") for key in KEYS}
        self.others = {key: self._texts(large, f"{large_x}_{key}") for key in KEYS}

    def _texts(self, side: Frame, column: str) -> Frame:
        texts = side.select(nw.col(column).alias("text"))
        return self.engine.settle(texts.filter(~nw.col("text").is_null()))

    def _sample(self, side: Frame, column: str) -> Frame:
        # By digest: the same keys on every engine, and neither the oldest nor the newest.
        texts = self.engine.with_digest(self._texts(side, column), "text", "digest")
        return self.engine.settle(texts.sort("digest", "text").head(SAMPLE_KEYS).select("text").unique())

    def sample_size(self, key: str) -> int:
        return self._count(self.samples[key])

    def meet(self, small_key: str, large_key: str, rules: CleanRules) -> int:
        """Return how many keys of the sample are on the other side under `rules`."""
        small = self._under(self.samples[small_key], self.small_x, small_key, rules)
        large = self._under(self.others[large_key], self.large_x, large_key, rules)
        return self._count(small.filter(~nw.col("text").is_null()).join(large, on="text", how="semi"))

    def ends(self, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the prefixes and the suffixes that most keys of a side have, by a sample of each."""
        other = self._sample(self.others[key], "text")
        columns = [self.engine.to_arrow(one).column("text") for one in (self.samples[key], other)]
        prefixes = {prefix for column in columns for prefix in _heads(map(str, column.to_pylist()))}
        suffixes = {head[::-1] for column in columns for head in _heads(str(text)[::-1] for text in column.to_pylist())}
        return tuple(sorted(prefixes)), tuple(sorted(suffixes))

    def _under(self, texts: Frame, x: str, key: str, rules: CleanRules) -> Frame:
        side = "payments" if x == "p" else "orders"
        applies = order_column(key) in rules.keys_of(side)
        return with_rules(self.engine, texts, ["text"], rules) if applies else texts

    def _count(self, frame: Frame) -> int:
        return int(self.engine.to_arrow(frame.select(nw.len().alias("n"))).column("n")[0].as_py())


def _by_rules(trial: _Trial, key: str, total: int) -> Iterable[_Found]:
    """Yield what the best single rule would do, and what several together would if that is more."""
    if not total or order_column(key) not in trial.rules.keys:
        return
    candidates = _candidates(trial, key)
    counts = [_with(trial, key, [one]) for one in candidates]
    best = max(range(len(counts)), key=counts.__getitem__)
    yield _Found(counts[best], _rules_in_words([candidates[best]], counts[best]))
    # Without its characters a key has no prefix any more: that rule stands alone.
    needed = [one for one in candidates if not one.replace]
    together = _with(trial, key, needed)
    if together * 10 <= counts[best] * 11:
        return
    for one in reversed(needed):
        fewer = [other for other in needed if other != one]
        if fewer and _with(trial, key, fewer) >= together:
            needed = fewer
    yield _Found(together, _rules_in_words(needed, together))


def _candidates(trial: _Trial, key: str) -> list[CleanRules]:
    prefixes, suffixes = trial.ends(key)
    return [
        CleanRules(case="fold"),
        CleanRules(strip_zeros=True),
        CleanRules(replace=(_SIGNS,)),
        *(CleanRules(strip_prefix=(prefix,)) for prefix in prefixes),
        *(CleanRules(strip_suffix=(suffix,)) for suffix in suffixes),
    ]


def _with(trial: _Trial, key: str, candidates: Sequence[CleanRules]) -> int:
    rules = trial.rules
    for one in candidates:
        rules = join_rules(rules, one)
    return trial.meet(key, key, rules)


def _by_columns(trial: _Trial, key: str) -> Iterable[_Found]:
    """Yield how many keys of one kind are of another kind on the other side: a column named for the wrong one."""
    if key not in ORDER_KEYS:
        return
    for other in ORDER_KEYS:
        if other == key:
            continue
        small_key, large_key = (key, other) if trial.small_x == "o" else (other, key)
        meet = trial.meet(small_key, large_key, NO_RULES)
        option = f"--{other.replace('_', '-')}-column"
        what = f"{_WORDS[key]} of order rows are {_WORDS[other]} of payments"
        yield _Found(meet, f", but {meet:,} {what}: name that column with {option}")


def _rules_in_words(candidates: Sequence[CleanRules], meet: int) -> str:
    rules = NO_RULES
    for one in candidates:
        rules = join_rules(rules, one)
    toml = ", ".join(f"{name} = {in_toml(value)}" for name, value in rules.as_dict().items())
    return f"; with [match.clean] {toml} {meet:,} would be"


def _heads(texts: Iterable[str]) -> set[str]:
    """Return what at least half of `texts` begin with before their first digit, and what all of them begin with."""
    texts = list(texts)
    if len(texts) < 2:
        return set()
    heads = Counter(found[0] for text in texts if (found := re.match(r"[^0-9]+(?=[0-9])", text)))
    common = [head for head, count in heads.most_common(1) if count * 2 >= len(texts)]
    ends = zip(min(texts), max(texts), strict=False)  # what the first and the last share, all between them share
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    common += re.findall(r"^.*[^0-9]", shared, re.DOTALL)
    return {head.strip() for head in common if head.strip()}
