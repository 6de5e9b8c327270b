"""
Clean-up rules: what a merchant declares to make no difference between two keys, beyond NFC and outer white space.

Knows which rules there are, their one order, and which of them cannot hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from reconcile.errors import SettingsError

CLEANED_KEYS = ("reference", "order_number")
"""Keys that rules apply to: people and books rewrite them. An order id is the API's own, written in one way."""

Side = Literal["payments", "orders"]

SIDES: tuple[Side, Side] = ("payments", "orders")

MOST_DIGITS = 100
"""Digits that `pad_zeros` may fill up to."""


def _rule(key: str, meaning: str, example: Any, *, choices: tuple[str, ...] = ()) -> Meta:
    return Meta(
        description=meaning,
        examples=None if example is None else [example],
        extra={"name": f"clean_{key}", "has_option": False, "choices": choices},
    )


class Replacement(Struct, frozen=True, forbid_unknown_fields=True):
    r"""
    Every place of a key that `pattern` fits becomes `with_`; "" takes it away.

    `pattern` is a regular expression in RE2 syntax, `with_` a string in which \1 to \9 are groups of the pattern and
    \0 is all of it. Source: https://github.com/google/re2/wiki/Syntax
    """

    pattern: str
    with_: str = msgspec.field(default="", name="with")


class CleanRules(Struct, frozen=True, kw_only=True):
    """
    `[match.clean]` of the settings: what makes no difference between two keys, in the order in which it is taken away.

    White space at the ends of a key goes after each rule. A key of which nothing is left is missing. Raises
    SettingsError.
    """

    case: Annotated[
        Literal["fold"] | None,
        _rule("case", "upper and lower case make no difference between two keys, nor to the other rules", "fold"),
    ] = None
    replace: Annotated[
        tuple[Replacement, ...],
        _rule(
            "replace",
            "regular expressions (RE2), one after the other, and what replaces what they match",
            [{"pattern": "^INV[0-9]{4}/", "with": ""}],
        ),
    ] = ()
    strip_prefix: Annotated[
        tuple[str, ...],
        _rule("strip_prefix", "strings that a key may begin with; the longest is taken off, once", ["PO-", "WEB-"]),
    ] = ()
    strip_suffix: Annotated[
        tuple[str, ...],
        _rule("strip_suffix", "strings that a key may then end with; the longest is taken off, once", ["-A"]),
    ] = ()
    strip_zeros: Annotated[
        bool,
        _rule("strip_zeros", "leading zeros of a key of digits make no difference; its last digit stays", None),
    ] = False
    pad_zeros: Annotated[
        int | None,
        _rule(
            "pad_zeros", "in place of strip_zeros: keys of digits are padded with leading zeros to this many digits", 10
        ),
    ] = None
    keys: Annotated[
        tuple[str, ...], _rule("keys", "the keys that these rules apply to", None, choices=CLEANED_KEYS)
    ] = CLEANED_KEYS
    sides: Annotated[tuple[str, ...], _rule("sides", "the sides that these rules apply to", None, choices=SIDES)] = (
        SIDES
    )

    def __post_init__(self) -> None:
        if self.case not in (None, "fold"):
            raise SettingsError(f'[match.clean] case "{self.case}" is not "fold"')
        if self.strip_zeros and self.pad_zeros is not None:
            raise SettingsError("[match.clean] strip_zeros and pad_zeros contradict each other: keep one of them")
        if self.pad_zeros is not None and not 2 <= self.pad_zeros <= MOST_DIGITS:
            raise SettingsError(f"[match.clean] pad_zeros {self.pad_zeros} is not a number of digits from 2 to 100")
        for place, one in enumerate(self.replace, start=1):
            _check_replacement(place, one)
        for name in ("strip_prefix", "strip_suffix"):
            if any(not text.strip() for text in getattr(self, name)):
                raise SettingsError(
                    f"[match.clean] {name} has an empty string: white space at the ends is always removed"
                )
        for name, known in (("keys", CLEANED_KEYS), ("sides", SIDES)):
            chosen = getattr(self, name)
            if not chosen or not set(chosen) <= set(known):
                raise SettingsError(f"[match.clean] {name} {list(chosen)} is not a choice of {', '.join(known)}")
            force_setattr(self, name, tuple(one for one in known if one in chosen))

    @property
    def names(self) -> tuple[str, ...]:
        """The rules that are set, in their order: "case", "replace 1", …, "strip_prefix", "strip_suffix", "…_zeros"."""
        zeros = "strip_zeros" if self.strip_zeros else "pad_zeros"
        chosen = {
            "case": self.case is not None,
            **{f"replace {place}": True for place in range(1, len(self.replace) + 1)},
            "strip_prefix": bool(self.strip_prefix),
            "strip_suffix": bool(self.strip_suffix),
            zeros: self.strip_zeros or self.pad_zeros is not None,
        }
        return tuple(name for name, is_set in chosen.items() if is_set)

    def keys_of(self, side: str) -> tuple[str, ...]:
        """Return the keys of a side ("payments" or "orders") that some rule applies to."""
        if not self.names or side not in self.sides:
            return ()
        # A payment's order has a reference too, which is compared with the same column of the other side.
        more = ("order_reference",) if side == "payments" and "reference" in self.keys else ()
        return (*self.keys, *more)

    def as_dict(self) -> dict[str, Any]:
        """Return the rules that are set as plain JSON values, as they stand in `reconcile.toml`; empty for none."""
        said = {name: value for name, value in msgspec.to_builtins(self).items() if value}
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
        return {name: value for name, value in said.items() if value not in (list(CLEANED_KEYS), list(SIDES))}


NO_RULES = CleanRules()
"""Keys that differ in anything but NFC and outer white space are different keys."""


def join_rules(rules: CleanRules, more: CleanRules) -> CleanRules:
    """Return `rules` and those of `more`; what only one can say (case, zeros) is said by `rules` where it says it."""
    zeros_are_said = rules.strip_zeros or rules.pad_zeros is not None
    return CleanRules(
        case=rules.case or more.case,
        replace=_without_repeats((*rules.replace, *more.replace)),
        strip_prefix=_without_repeats((*rules.strip_prefix, *more.strip_prefix)),
        strip_suffix=_without_repeats((*rules.strip_suffix, *more.strip_suffix)),
        strip_zeros=rules.strip_zeros if zeros_are_said else more.strip_zeros,
        pad_zeros=rules.pad_zeros if zeros_are_said else more.pad_zeros,
        keys=rules.keys,
        sides=rules.sides,
    )


def _without_repeats(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _check_replacement(place: int, one: Replacement) -> None:
    import pyarrow as pa  # half a second that the help of a command does without

    from reconcile.files.arrow import compute as pc

    where = f"[match.clean] replace, rule {place}"
    if not one.pattern:
        raise SettingsError(f"{where}: the pattern is empty")
    a_text = pa.array([""], pa.string())
    try:
        pc.match_substring_regex(a_text, one.pattern)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise SettingsError(
            f'{where}: "{one.pattern}" is not a regular expression: {reason}',
            hint="the syntax is that of RE2, without look-ahead and back-references; "
            "in TOML, single quotes keep backslashes: pattern = '^INV\\d+-'",
        ) from None
    try:
        pc.replace_substring_regex(a_text, one.pattern, one.with_)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid replacement string: ")
        raise SettingsError(
            f'{where}: "{one.with_}" cannot stand in for "{one.pattern}": {reason}',
            hint=r"\1 to \9 are groups of the pattern, \\ is a backslash",
        ) from None
