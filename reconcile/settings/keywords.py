"""
Settings as keywords of calls in Python: which ones a call takes, and of which type each is.

A setting is declared by the struct that holds it; here stand its name and its type once more, for those who look at
code without running it: editors and mypy. A test holds both together. What is not given comes from the settings.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any, Literal, TypedDict, TypeVar, get_type_hints

from msgspec import Struct, structs

from reconcile.errors import SettingsError
from reconcile.settings.declared import declared


class PullKeywords(TypedDict, total=False):
    """What to pull, from where, and how fast: `[commercelayer]`, and what of `[pull]` applies without a mirror."""

    organization: str | None
    api_url: str | None
    auth_url: str | None
    mode: Literal["live", "test"] | None
    scope: str | None
    rate_share: float
    allowance: str | None
    rate_limit: bool
    timeout_seconds: float
    retry_seconds: float
    via: Literal["pages", "exports", "auto"]
    since: str | None
    until: str | None
    personal: bool
    time_zone: str


class OrderKeywords(TypedDict, total=False):
    """How order totals are written: `[orders]`, as the fields of `OrderFormat`."""

    reference_column: str | None
    amount_column: str | None
    currency_column: str | None
    order_number_column: str | None
    order_id_column: str | None
    ordered_on_column: str | None
    document_column: str | None
    method_column: str | None
    sign_column: str | None
    debit_column: str | None
    credit_column: str | None
    signs: Mapping[str, str]
    currency: str | None
    amount_basis: str
    time_zone: str
    amount_unit: Literal["minor", "major"] | None
    decimal: str | None
    thousands: str | None
    grouping: Literal["thousands", "indian"]
    accounting: Sequence[str]
    float_keys: Literal["whole"] | None
    date_format: str | None
    continuation_rows: Literal["empty", "repeated"] | None
    only: Mapping[str, Sequence[str]]
    skip_rows: Sequence[str]
    withdrawn: Mapping[str, Sequence[str]]
    carry: Sequence[str]
    delimiter: str | None
    quote: str | None
    header_line: int | None
    encoding: str | None
    sheet: str | None
    records: str | None
    download_limit: str


class MatchKeywords(TypedDict, total=False):
    """What counts as a match: `[match]`, and what of `[population]` applies to frames; `clean` as `[match.clean]`."""

    on: Sequence[str]
    amount_basis: str
    tolerance_cents: int | None
    tolerance_percent: str | int | None
    lag_days: int
    group_orders: Literal["sum"] | None
    refunds: Literal["booked_apart"] | None
    mode: Literal["live", "test"] | None
    clean: Mapping[str, Any]
    time_zone: str
    covers: str | None
    listed_only: bool
    methods: Sequence[str]


class _AsSet:
    """In place of a default: what `settings`, `reconcile.toml` or the declaration of the setting says."""

    def __repr__(self) -> str:
        return "as set"


AS_SET = _AsSet()
CallT = TypeVar("CallT", bound=Callable[..., Any])
StructT = TypeVar("StructT", bound=Struct)


def with_keywords(keywords: type, *declaring: type[Struct]) -> Callable[[CallT], CallT]:
    """
    Have a function that takes `**options: Unpack[keywords]` name them in its signature, and explain them in its help.

    So they are completed by what looks at a function that is there, such as Jupyter. `declaring` are the structs that
    say what they mean.
    """
    types = get_type_hints(keywords)
    about = {one.path[-1]: one.about for struct in declaring for one in declared(struct)}
    named = [Parameter(name, Parameter.KEYWORD_ONLY, default=AS_SET, annotation=types[name]) for name in types]
    lines = [f"    {name}: {about[name]}" for name in types if name in about]

    def explained(call: CallT) -> CallT:
        signature = inspect.signature(call)
        own = [one for one in signature.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        call.__signature__ = signature.replace(parameters=[*own, *named])  # type: ignore[attr-defined]
        if lines:
            call.__doc__ = "\n".join([inspect.cleandoc(call.__doc__ or ""), "", "Settings by name:", *lines])
        return call

    return explained


def checked(given: Mapping[str, Any], keywords: type) -> dict[str, Any]:
    """Return keywords as they were `given`. Raises SettingsError for a name that is none of `keywords`."""
    names = get_type_hints(keywords)
    if unknown := [name for name in given if name not in names]:
        near = difflib.get_close_matches(unknown[0], names, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        raise SettingsError(
            f"there is no {', '.join(unknown)} here", hint=f"{meant}there are {', '.join(sorted(names))}"
        )
    return dict(given)


def replaced(struct: StructT, given: Mapping[str, Any]) -> StructT:
    """
    Return `struct` with other values, by the names of its fields.

    Raises SettingsError for a value that is not of the declared type.
    """
    known = {one.path[0]: one for one in declared(type(struct)) if len(one.path) == 1}
    values = dict(given)
    for name in known.keys() & values.keys():
        try:
            values[name] = known[name].converted(values[name])
        except ValueError as error:
            raise SettingsError(f"{name}{' ' if str(error).startswith('must') else ': '}{error}") from None
    return structs.replace(struct, **values)
