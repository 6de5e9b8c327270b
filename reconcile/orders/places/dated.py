"""
Names of order files with a date in them: `orders-{date}.csv`, `{date:%Y/%m}/orders.csv`.

Knows `{date}` and `{date:FORMAT}` and no other braces: those are part of a name. Does not look for files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.places.addresses import printable, without_secrets

_DATE = re.compile(r"\{date(?::([^{}]*))?\}")
_ISO = "%Y-%m-%d"
_DIRECTIVES = frozenset("YymdjbBaAGVuUW%")  # of a day: hours, zones and a locale's own forms say nothing about it


def is_dated(word: str) -> bool:
    """Whether `word` has a date to be put in."""
    return _DATE.search(word) is not None


def dated(word: str, day: date) -> str:
    """
    Return `word` with `day` in place of `{date}` (2026-11-20) and `{date:FORMAT}`, such as `{date:%d%m%y}` (201126).

    Raises SettingsError for a format that is none of a day.
    """
    return _DATE.sub(lambda found: day.strftime(_ISO if found[1] is None else _checked(found[1])), word)


def check_dated(words: Sequence[str]) -> None:
    """Raise SettingsError when one of `words` has a format that is none of a day."""
    for word in words:
        dated(word, date(2026, 11, 20))


@contextmanager
def telling_date(words: Sequence[str], day: date) -> Iterator[None]:
    """Say in the error of a file that cannot be found which of `words`, as written, has named it by `day`."""
    written = {printable(without_secrets(dated(word, day))): word for word in words if is_dated(word)}
    try:
        yield
    except OrderFileError as error:
        if error.line is None and error.column is None and error.path in written:
            note = f"{printable(without_secrets(written[error.path]))} is written, and the date is {day}"
            error.hint = f"{error.hint}; {note}" if error.hint else note
        raise


def _checked(text: str) -> str:
    directives = re.findall("%(.?)", text, re.DOTALL)
    unknown = next((one for one in directives if one not in _DIRECTIVES or not one), None)
    if unknown is not None:
        problem = f'"%{unknown}" is nothing of a date'
    elif not set(directives) - {"%"}:
        problem = "it has nothing of a date"
    else:
        return text
    raise SettingsError(
        f"{{date:{text}}} in the name of an order file: {problem}",
        hint="write day, month and year, as in {date:%d%m%y} or {date:%Y/%m}; {date} alone is 2026-11-20",
    )
