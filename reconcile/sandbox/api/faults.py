"""
Faults on demand: which request goes wrong, and how. Decides only; `app` carries it out.

A fault is `KIND[:WHEN][:VALUE]`. WHEN is a share of requests (`0.05`), request numbers (`#7`, `#3,9`), from one on
(`#7+`), or every so many (`#*4`). API requests, writes, list requests, token requests, exports and requests for their
files are counted from 1, each by themselves. Chance is drawn from seed, kind and number alone, so the same requests
meet the same faults.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconcile.errors import SettingsError

ANSWERS = {
    "5xx": "answers 500, 502, 503 or 504 (VALUE: the one) with the body of a gateway",
    "reset": "resets the connection before anything is sent",
    "reset-body": "resets the connection in the middle of the body",
    "truncate": "closes the connection in the middle of the body, Content-Length still says all of it",
    "invalid-json": "answers 200 with a body that stops being JSON",
    "html": "answers 200 with an HTML page",
    "stall": "never answers",
    "stall-body": "stops in the middle of the body, the connection stays open",
    "429": "answers 429 out of the blue (VALUE: seconds, sent as Retry-After)",
    "latency": "answers late: VALUE milliseconds, or a range such as 20-75",
    "revoke": "makes every token issued so far useless before the request is looked at",
}
"""Faults of any API request, by its number: whoever asks again gets an answer."""

WRITES = {
    "write-lost": "carries the write out and resets the connection before anything is sent",
    "write-5xx": "carries the write out and answers 502 with the body of a gateway",
    "write-late": "carries the write out and answers VALUE milliseconds later",
    "write-empty": "answers a PATCH that was carried out with 204 and no body",
}
"""Faults of POST, PATCH and DELETE, by the number of the write: it is done or refused, and its answer goes wrong."""

ODDITIES = {
    "date": "reports another time in the header Date (VALUE: seconds ahead, or -behind), `none` or an `odd` one",
    "garbled": "puts into payment_methods what is not Unicode (VALUE): `utf8` bytes, or half of a `surrogate` pair",
    "huge": "answers with VALUE megabytes of white space in front of the JSON",
    "huge-packed": "the same, packed with gzip to a thousandth of that",
    "huge-error": "answers 503 with a body of VALUE megabytes",
}
"""Faults of any API request, by its number: the answer is whole, and makes no sense."""

LISTS = {
    "delete": "deletes a payment before the list request is answered (VALUE: its id)",
    "insert": "creates a payment with an order before the list request is answered",
    "insert-old": "the same, created a year before the newest one: a backdated row",
    "update": "changes the order total of a payment before the list request is answered (VALUE: payment id)",
    "drop-row": "leaves one row out of the page (VALUE: the id of the row, left out of every page it is on)",
    "wrong-mode": "gives one row of the page the other meta.mode",
    "odd-id": "gives the row in the middle of the page an id that is `empty`, has a `control` character or a `slash`",
    "first-page": "answers with the first page of the list, whatever it was to follow",
    "circle": "answers with the first two pages of the list in turns, whatever they were to follow",
    "absurd-count": "says VALUE in meta.record_count, `none` leaves it out",
    "wrong-count": "adds VALUE (default 1) to meta.record_count",
}
"""Faults of list requests of klarna_payments, by the number of the list request."""

TOKENS = {
    "token-5xx": "the token endpoint answers 503",
    "token-reset": "the token endpoint resets the connection",
    "token-html": "the token endpoint answers 200 with an HTML page",
    "token-odd": "tokens have a line break in them",
    "token-huge": "the token endpoint answers with VALUE megabytes of white space in front of the token",
    "short-token": "tokens die after VALUE seconds, whatever they say of themselves",
}
"""Faults of the token endpoint, by the number of the token request."""

EXPORTS = {
    "export-fail": "the export fails half-way",
    "export-interrupt": "the export is interrupted half-way; it can be started again",
    "export-stuck": "the export gets half-way and stays there",
    "export-lost-row": "one row is missing from the export's file",
}
"""Faults of exports, by the number of the export among those that were created."""

STORAGE = {
    "storage-5xx": "the storage answers 503",
    "storage-reset-body": "the storage resets the connection in the middle of the file",
    "storage-truncate": "the storage closes the connection in the middle of the file",
    "storage-stall": "the storage stops in the middle of the file, the connection stays open",
    "storage-expired": "the URL of the file has expired already",
}
"""Faults of the storage, by the number of the request for a file."""

KINDS = {**ANSWERS, **WRITES, **ODDITIES, **LISTS, **TOKENS, **EXPORTS, **STORAGE}

_ALWAYS = "always"
_EXAMPLE = "for example 5xx:0.05, reset:#7, latency:20-75, 429:#5:2, short-token:5, delete:#3"


@dataclass(frozen=True, slots=True)
class When:
    """Which request numbers: a share of them, some, from one on, or every so many."""

    share: float = 0.0
    numbers: frozenset[int] = frozenset()
    from_number: int = 0
    every: int = 0

    def holds(self, number: int, *, kind: str, seed: int) -> bool:
        """Return whether the request `number` is one of them."""
        if number in self.numbers or (self.from_number and number >= self.from_number):
            return True
        if self.every:
            return number % self.every == 0
        return self.share > 0 and chance(f"{seed}/{kind}/{number}") < self.share


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: its kind, when, and a value that depends on the kind."""

    kind: str
    when: When
    value: str = ""


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that goes wrong in one sandbox. Empty: nothing does."""

    rules: tuple[Fault, ...] = ()
    seed: int = 1

    @classmethod
    def parse(cls, specs: str | Iterable[str], *, seed: int = 1) -> Faults:
        """
        Return the faults named by `specs`, one string or several.

        Raises SettingsError that names the text, what is wrong with it, and what there is.
        """
        texts = [specs] if isinstance(specs, str) else specs
        return cls(tuple(parse_fault(text) for text in texts), seed)

    def of(self, kinds: Iterable[str], number: int) -> list[Fault]:
        """Return the faults among `kinds` that hit the request `number`, in the order they were given."""
        return [
            fault
            for fault in self.rules
            if fault.kind in kinds and fault.when.holds(number, kind=fault.kind, seed=self.seed)
        ]


def parse_fault(text: str) -> Fault:
    """Return the fault a string such as `5xx:0.05:503` names. Raises SettingsError when it names none."""
    kind, *rest = text.split(":")
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise SettingsError(f'fault "{text}": there is no kind "{kind}"', hint=f"one of {known}; {_EXAMPLE}")
    when, value = When(from_number=1), ""
    if rest and (_is_when(rest[0]) or len(rest) == 2):
        when = _parse_when(text, rest.pop(0))
    if rest:
        value = rest.pop(0)
    if rest:
        raise SettingsError(f'fault "{text}": too many parts', hint=f"KIND[:WHEN][:VALUE], {_EXAMPLE}")
    _check_value(text, kind, value)
    return Fault(kind, when, value)


def milliseconds(value: str, draw: float) -> float:
    """Return the milliseconds a latency VALUE means (`50`, `20-75`), `draw` in [0, 1) choosing inside a range."""
    low, _, high = value.partition("-")
    return float(low) + (float(high or low) - float(low)) * draw


def chance(name: str) -> float:
    """Return a number in [0, 1) that depends on `name` alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big") / float(1 << 56)


def _is_when(text: str) -> bool:
    return text.startswith("#") or re.fullmatch(r"0?\.[0-9]+|1\.0+|0", text) is not None


def _parse_when(text: str, part: str) -> When:
    if match := re.fullmatch(r"#([0-9]+)\+", part):
        return When(from_number=max(int(match[1]), 1))
    if match := re.fullmatch(r"#\*([1-9][0-9]*)", part):
        return When(every=int(match[1]))
    if re.fullmatch(r"#[0-9]+(,#?[0-9]+)*", part):
        return When(numbers=frozenset(int(number.lstrip("#")) for number in part.split(",")))
    if re.fullmatch(r"0?\.[0-9]+|1(\.0+)?|0", part):
        return When(share=float(part))
    hint = f"a share such as 0.05, or request numbers such as #7, #3,9, #7+ or #*4; {_EXAMPLE}"
    raise SettingsError(f'fault "{text}": "{part}" does not say when', hint=hint)


def _check_value(text: str, kind: str, value: str) -> None:
    shapes = {
        "5xx": r"(5[0-9][0-9])?",
        "429": r"([0-9]+)?",
        **dict.fromkeys(("huge", "huge-packed", "huge-error", "token-huge"), r"[0-9]+"),
        "garbled": r"utf8|surrogate",
        "date": r"-?[0-9]+|none|odd",
        "latency": r"[0-9]+(\.[0-9]+)?(-[0-9]+(\.[0-9]+)?)?",
        "write-late": r"[0-9]+",
        "short-token": r"[0-9]+(\.[0-9]+)?",
        "wrong-count": r"(-?[0-9]+)?",
        "absurd-count": r"-?[0-9]+|none",
        "odd-id": r"empty|control|slash",
        **dict.fromkeys(("delete", "update", "drop-row"), r"[A-Za-z0-9_-]*"),
    }
    if not re.fullmatch(shapes.get(kind, ""), value):
        raise SettingsError(f'fault "{text}": "{value}" is not a value of {kind}', hint=f"{kind} {KINDS[kind]}")
