"""
Predicates: what `filter[q][<attributes>_<predicate>]` says, and whether a row's value satisfies it.

Follows https://docs.commercelayer.io/core/filtering-data . Nulls behave as in SQL: they satisfy nothing except the
predicates that speak of them. Text predicates other than `eq` and `in` ignore case, as Ransack on PostgreSQL does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from reconcile.sandbox.api.refusals import filter_not_allowed
from reconcile.sandbox.world import times

Test = Callable[[Any, Any], bool]

_ORDERED: dict[str, Test] = {
    "lt": lambda value, wanted: value < wanted,
    "lteq": lambda value, wanted: value <= wanted,
    "gt": lambda value, wanted: value > wanted,
    "gteq": lambda value, wanted: value >= wanted,
}
_TEXTUAL: dict[str, Test] = {
    "matches": lambda value, wanted: _like(wanted).fullmatch(value) is not None,
    "does_not_match": lambda value, wanted: _like(wanted).fullmatch(value) is None,
    "start": lambda value, wanted: value.lower().startswith(wanted.lower()),
    "not_start": lambda value, wanted: not value.lower().startswith(wanted.lower()),
    "end": lambda value, wanted: value.lower().endswith(wanted.lower()),
    "not_end": lambda value, wanted: not value.lower().endswith(wanted.lower()),
    "cont": lambda value, wanted: wanted.lower() in value.lower(),
    "not_cont": lambda value, wanted: wanted.lower() not in value.lower(),
}
_NULLS: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "not_null": lambda value: value is not None,
    "present": lambda value: value not in (None, "", {}, []),
    "blank": lambda value: value in (None, "", {}, []),
}
_LISTS = ("in", "in_or_null", "not_in", "not_in_or_null", "not_eq_all")
_EQUALS = ("eq", "eq_or_null", "not_eq", "not_eq_or_null")

PREDICATES = sorted(
    [
        *_EQUALS,
        *_LISTS,
        *_NULLS,
        *(name + form for name in (*_ORDERED, *_TEXTUAL) for form in ("", "_any", "_all")),
        "jcont",
        "true",
        "false",
    ],
    key=len,
    reverse=True,
)
"""Every predicate, longest first, so that `created_at_not_eq` is not read as `created_at_not` and `eq`."""


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute, of the resource itself or of the one behind the relationship `crossing`."""

    crossing: str | None
    attribute: str
    kind: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: any of `paths` must satisfy `predicate` with its own entry of `wanted`."""

    paths: tuple[Path, ...]
    predicate: str
    wanted: tuple[Any, ...]


def split_predicate(name: str) -> tuple[str, str]:
    """Return the attributes and the predicate of a filter name. Refuses a name without either."""
    for predicate in PREDICATES:
        if name.endswith(f"_{predicate}") and len(name) > len(predicate) + 1:
            return name[: -len(predicate) - 1], predicate
    raise filter_not_allowed(name)


def condition(name: str, paths: tuple[Path, ...], predicate: str, text: str) -> Condition:
    """Return the condition with `text` read as what the attributes hold. Refuses a value that is none."""
    for path in paths:
        if not _applies(predicate, path.kind):
            raise filter_not_allowed(name, why=f"does not apply to a {path.kind}")
    if text == "":
        # The engine drops a condition without a value and answers with everything; not documented, so refused here.
        raise filter_not_allowed(name, why="has no value")
    try:
        return Condition(paths, predicate, tuple(_wanted(predicate, path.kind, text) for path in paths))
    except (ValueError, msgspec.DecodeError) as error:
        raise filter_not_allowed(name, why=f'has the value "{text}", which it cannot have') from error


def _applies(predicate: str, kind: str) -> bool:
    if predicate in _NULLS:
        return True
    if predicate == "jcont" or kind == "json":
        return predicate == "jcont" and kind == "json"
    if predicate in {"true", "false"} or kind == "boolean":
        return kind == "boolean" and predicate in {*_EQUALS, "true", "false"}
    return kind == "text" or predicate.removesuffix("_any").removesuffix("_all") not in _TEXTUAL


def holds(predicate: str, value: Any, wanted: Any) -> bool:
    """Return whether `value` (comparable: instants and ids already as numbers) satisfies the predicate."""
    if predicate in _NULLS:
        return _NULLS[predicate](value) is wanted
    if value is None:
        return predicate.endswith("_or_null")
    base = predicate.removesuffix("_or_null")
    if base in {"eq", "not_eq"}:
        return (value == wanted) is (base == "eq")
    if base in {"in", "not_in", "not_eq_all"}:
        return (value in wanted) is (base == "in")
    if base in {"true", "false"}:
        return (value is (base == "true")) is wanted
    if base == "jcont":
        return _contains(value, wanted)
    return _compares(base, value, wanted)


def _compares(predicate: str, value: Any, wanted: Any) -> bool:
    tests = {**_ORDERED, **_TEXTUAL}
    if predicate.endswith("_any"):
        return any(tests[predicate[:-4]](value, one) for one in wanted)
    if predicate.endswith("_all"):
        return all(tests[predicate[:-4]](value, one) for one in wanted)
    return tests[predicate](value, wanted)


def _wanted(predicate: str, kind: str, text: str) -> Any:
    if predicate in _NULLS or predicate in {"true", "false"}:
        if text not in {"true", "false", "1", "0"}:
            raise ValueError(text)
        return text in {"true", "1"}
    if predicate == "jcont":
        return msgspec.json.decode(text)
    if predicate in _LISTS or predicate.endswith(("_any", "_all")):
        return tuple(_one(kind, part) for part in text.split(","))
    return _one(kind, text)


def _one(kind: str, text: str) -> Any:
    if kind == "time":
        return times.from_text(text)
    if kind == "integer":
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError(text)
        return int(text)
    if kind == "boolean":
        if text not in {"true", "false"}:
            raise ValueError(text)
        return text == "true"
    return text


def _like(pattern: str) -> re.Pattern[str]:
    parts = [".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern]
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _contains(value: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and _contains(value[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(value, list) and all(any(_contains(one, wanted) for one in value) for wanted in part)
    return bool(value == part)
