"""
A setting as the field that holds it declares it, and settings put together from values by name.

A field of a struct is a setting where it is annotated with `msgspec.Meta`: its description is the meaning, an example
stands where there is no default, bounds are checked. `Meta.extra` says what differs from the rule:

    name               of the option and the environment variable; else the field's name
    table, key         where it is in `reconcile.toml`: a table below its struct's, another key
    metavar, choices   what its option takes; that of a table takes KEY=VALUE, several times
    option             another name of its option
    off                the option that says no, else `--no-…`
    has_option         False: only in the file and the environment
    may_hold_password  its value is refused in a file where it does
    is_declared        False: no setting of its own; another one's value is put here

A field that is a struct itself is a table below, or no table of its own with `{"table": ""}`. A table that begins with
a slash is not below its struct's.
"""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from reconcile.errors import SettingsError

PREFIX = "RECONCILE_"
"""What variables of the environment begin with."""

StructT = TypeVar("StructT", bound=Struct)


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting: where it is in the structs (`path`) and in `reconcile.toml` (`table`, `key`), its type and its default.

    `meta` is its declaration.
    """

    name: str
    table: str
    key: str
    path: tuple[str, ...]
    type: Any
    default: Any
    meta: Meta

    @property
    def option(self) -> str:
        """Its option on the command line, where it has one."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return PREFIX + self.name.upper()

    @property
    def about(self) -> str:
        """What it means, a phrase without a full stop."""
        return self.meta.description or ""

    @property
    def example(self) -> Any:
        """A value that it may have: its default, or an example where that says nothing."""
        return self.meta.examples[0] if self.meta.examples else self.default

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it, or each of its values, may have; empty where any may."""
        return self.said("choices") or _literals(self.plain_type)

    @property
    def plain_type(self) -> Any:
        """Its type without the declaration and without null."""
        return _annotated(self._not_null)[0]

    @property
    def bounds(self) -> Meta:
        """The declaration that has its bounds: its own, or that of the number where it may be null."""
        return _annotated(self._not_null)[1] or self.meta

    @property
    def _not_null(self) -> Any:
        inner = _annotated(self.type)[0]
        others = [one for one in typing.get_args(inner) if one is not type(None)]
        return others[0] if len(others) == 1 and type(None) in typing.get_args(inner) else inner

    @property
    def is_list(self) -> bool:
        """Whether it has several strings as its value."""
        return bool(self.plain_type == tuple[str, ...])

    @property
    def is_table(self) -> bool:
        """Whether it has values by keys, which are texts or lists of texts."""
        return bool(self.plain_type in (dict[str, str], dict[str, tuple[str, ...]]))

    @property
    def is_single(self) -> bool:
        """Whether it has one string, number or yes or no as its value."""
        return typing.get_origin(self.plain_type) not in (tuple, dict)

    def said(self, name: str, default: Any = None) -> Any:
        """Return what the declaration says beside the rule."""
        return (self.meta.extra or {}).get(name, default)

    def value_in(self, settings: Struct) -> Any:
        """Return the value that it has in `settings`."""
        value: Any = settings
        for name in self.path:
            value = getattr(value, name)
        return value

    def converted(self, value: object, *, strict: bool = True) -> Any:
        """Return `value` in the type of the setting. Raises ValueError that says what it must be."""
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if self.is_table and isinstance(value, tuple | list):
            value = self._of_pairs(value)
        try:
            return msgspec.convert(
                value, self.type, strict=strict and self.plain_type is not float, from_attributes=True
            )
        except msgspec.ValidationError as error:
            raise ValueError(self._in_words(error, value)) from None

    def _of_pairs(self, pairs: Sequence[object]) -> dict[str, str | tuple[str, ...]]:
        """Return a table of what its option was given: KEY=VALUE, and KEY=VALUE again for a further value."""
        table: dict[str, str | tuple[str, ...]] = {}
        for pair in pairs:
            key, equals, text = (part.strip() for part in str(pair).partition("="))
            if not equals or not key:
                raise ValueError(f'"{pair}" is not {self.said("metavar", "KEY=VALUE")}')
            if self.plain_type == dict[str, str] and table.setdefault(key, text) != text:
                raise ValueError(f'"{key}" is given twice')
            if self.plain_type != dict[str, str]:
                table[key] = (*table.get(key, ()), text)
        return table

    def _in_words(self, error: msgspec.ValidationError, value: object) -> str:
        text = str(error)
        if _OF_BOUNDS.search(text):
            return f"must {_bounds(self.bounds)}"
        if self.choices and isinstance(value, str) and not self.is_list:
            known = " or ".join(f'"{choice}"' for choice in self.choices)
            return f'must be {known}, not "{value}"'
        if "of length >= 1" in text:
            return "must not be empty"
        text = text.replace("Expected", "expected").replace("Invalid", "invalid")
        text = text.replace("Object contains unknown field", "there is no")
        text = re.sub(r"Object missing required field (`\w+`)", r"\1 is missing", text)
        expected, got, _ = text.partition(", got ")
        if got:
            for type_, word in _WORDS.items():
                expected = expected.replace(type_, word)
            return expected
        return re.sub(r" - at `\$\[(\d+)\]`$", lambda place: f" (entry {int(place[1]) + 1})", text)


_OF_BOUNDS = re.compile(r"Expected `\w+( \| null)?` [<>]")
_WORDS = {
    "`int | null`": "a whole number",
    "`int`": "a whole number",
    "`float`": "a number",
    "`str | null`": "a string in quotes",
    "`str`": "a string in quotes",
    "`bool`": "true or false",
    "`array`": "a list",
}


@cache
def declared(struct: type[Struct]) -> tuple[Setting, ...]:
    """Return the settings of a struct and of those in it, in the order of their fields."""
    return tuple(_declared(struct, "", ()))


def _declared(struct: type[Struct], table: str, path: tuple[str, ...]) -> Iterator[Setting]:
    hints = typing.get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        type_ = hints[field.name]
        inner, meta = _annotated(type_)
        extra = (meta and meta.extra) or {}
        if not extra.get("is_declared", True):
            continue
        below = extra.get("table", field.name if _is_struct(inner) else "")
        place = below[1:] if below.startswith("/") else ".".join(name for name in (table, below) if name)
        if _is_struct(inner):
            yield from _declared(inner, place, (*path, field.name))
        elif meta is not None:
            name = extra.get("name", field.name)
            default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            yield Setting(name, place, extra.get("key", field.name), (*path, field.name), type_, default, meta)


def built(struct: type[StructT], values: Mapping[str, object]) -> StructT:
    """
    Return `struct` with `values`, by the names of its settings; those that are not named have their defaults.

    Raises SettingsError that lists every value that makes no sense, TypeError for a name that is none.
    """
    known = {setting.name: setting for setting in declared(struct)}
    if unknown := sorted(set(values) - set(known)):
        raise TypeError(f"there is no setting {', '.join(unknown)}")
    problems: list[SettingsError] = []
    given: dict[tuple[str, ...], Any] = {}
    for name, value in values.items():
        try:
            given[known[name].path] = known[name].converted(value, strict=False)
        except ValueError as error:
            problems.append(SettingsError(f"{name}{' ' if str(error).startswith('must') else ': '}{error}"))
    found = _built(struct, given, (), problems)
    if not problems:
        assert found is not None, "a struct that cannot be is a problem"
        return found
    if len(problems) == 1:
        raise problems[0]
    raise SettingsError("; ".join(problem.message for problem in problems))


def _built(
    struct: type[StructT], given: Mapping[tuple[str, ...], Any], path: tuple[str, ...], problems: list[SettingsError]
) -> StructT | None:
    values: dict[str, object] = {}
    is_whole = True
    for field in msgspec.structs.fields(struct):
        place = (*path, field.name)
        if place in given:
            values[field.name] = given[place]
        elif any(one[: len(place)] == place for one in given):
            values[field.name] = _built(type(field.default), given, place, problems)
            is_whole = is_whole and values[field.name] is not None
    if not is_whole:
        return None
    try:
        return struct(**values)
    except SettingsError as error:
        problems.append(error)
    return None


def documented(settings: Struct) -> dict[str, Any]:
    """Return all settings as `reconcile.toml` nests them, as plain values; null where one is not set."""
    document: dict[str, Any] = {}
    for setting in declared(type(settings)):
        table = document
        for name in setting.table.split("."):
            table = table.setdefault(name, {})
        table[setting.key] = msgspec.to_builtins(setting.value_in(settings))
    return document


def _annotated(type_: Any) -> tuple[Any, Meta | None]:
    """Return a type without its declaration, and the declaration, if any."""
    if typing.get_origin(type_) is not typing.Annotated:
        return type_, None
    inner, meta = typing.get_args(type_)
    return inner, meta


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Struct)


def _literals(type_: Any) -> tuple[str, ...]:
    return typing.get_args(type_) if typing.get_origin(type_) is typing.Literal else ()


def _bounds(meta: Meta) -> str:
    if meta.ge == 0 and meta.le is None:
        return "not be negative"
    words = [
        f"{word} {bound:g}"
        for word, bound in (("above", meta.gt), ("at least", meta.ge), ("below", meta.lt), ("at most", meta.le))
        if bound is not None
    ]
    return f"be {' and '.join(words)}"
