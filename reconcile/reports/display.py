"""
How amounts, counts, dates and times look to people: as everywhere, or as they are written in a locale.

Knows separators, groups, digits and the order of a date's parts; in a locale they are what Babel's copy of CLDR says,
and Babel is imported only then. How many decimals a currency has is `reconcile.money`'s to say: CLDR counts the
decimals that people round to, which is another number for more than ten currencies. Digits are moved as text: nothing
is rounded, there is no float. No word is translated, and no data file is written with this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING

from reconcile.errors import SettingsError
from reconcile.figures.summary import NO_CURRENCY
from reconcile.money import format_amount
from reconcile.reports.text_table import KEEP

if TYPE_CHECKING:
    from babel import Locale

NO_LOCALE = "none"
"""In place of a locale: dates as 2026-11-22, amounts as 1,234.56."""


def shown_value(value: str | None) -> str:
    """Return the value of a column as people read it: of a blank one, and of many (null) that are told together."""
    return "(all others)" if value is None else value or "(blank)"


_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Display:
    """
    What stands between and for the digits; the defaults are those without a locale.

    `groups` are the sizes of the last group of digits and of those before it, `zero` is the first of ten digits. `day`,
    `minute` and `second` are templates of `str.format` with the numbers y, M, d, H, m and s.
    """

    locale: str | None = None
    decimal: str = "."
    group: str = ","
    groups: tuple[int, int] = (3, 3)
    minus: str = "-"
    zero: str = "0"
    day: str = "{y:04}-{M:02}-{d:02}"
    minute: str = "{H:02}:{m:02}"
    second: str = "{H:02}:{m:02}:{s:02}"

    def amount(self, cents: int | None, currency_code: str | None) -> str:
        """Return minor units in decimals: 123456789 in EUR is "1,234,567.89"; nothing where there is no amount."""
        if cents is None or not (cents or currency_code):
            return ""
        return self.number(format_amount(cents, currency_code or ""))

    def amounts(self, by_currency: Iterable[tuple[str, int]]) -> str:
        """Return minor units of several currencies, each after its code or NO_CURRENCY, in one line."""
        known = ((code, cents, "" if code == NO_CURRENCY else code) for code, cents in by_currency)
        return ", ".join(f"{code}{KEEP}{self.amount(cents, currency)}" for code, cents, currency in known)

    def count(self, number: int) -> str:
        """Return a whole number with grouped thousands."""
        return self.number(str(number))

    def plural(self, number: int, noun: str) -> str:
        """Return a number with its noun."""
        return f"{self.count(number)} {noun}" if number == 1 else f"{self.count(number)} {noun}s"

    def number(self, text: str) -> str:
        """Return the plain decimal number that `text` begins with as people write it, and all else as it is."""
        plain = _NUMBER.match(text)
        if plain is None:
            return text
        sign, whole, fraction = plain.groups()
        shown = (self.minus if sign else "") + self._grouped(whole) + (self.decimal + fraction if fraction else "")
        return self._in_digits(shown) + text[plain.end() :]

    def date(self, day: date | str) -> str:
        """Return a date; as text it is in ISO 8601."""
        return self._in_digits(_filled(self.day, date.fromisoformat(day) if isinstance(day, str) else day))

    def minutes(self, moment: datetime) -> str:
        """Return date and time of an instant, in the zone it is in, without its seconds."""
        return f"{self.date(moment)} {self._in_digits(_filled(self.minute, moment))}"

    def instant(self, text: str) -> str:
        """Return date and time in UTC of an instant with an offset, in ISO 8601."""
        moment = datetime.fromisoformat(text).astimezone(UTC)
        return f"{self.date(moment)} {self._in_digits(_filled(self.second, moment))} UTC"

    def isolated(self, text: str) -> str:
        """Return `text` so that it does not change places with a figure beside it, where digits may do that."""
        # https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates
        return text if self.zero == "0" else f"\u2068{text}\u2069"

    def _grouped(self, whole: str) -> str:
        last, before = self.groups
        if last == before == 3:
            return f"{int(whole):,}".replace(",", self.group)
        head, groups = whole[:-last], [whole[-last:]]
        while head:
            head, group = head[:-before], head[-before:]
            groups.insert(0, group)
        return self.group.join(groups)

    def _in_digits(self, text: str) -> str:
        return text if self.zero == "0" else text.translate(_digits_from(self.zero))


PLAIN = Display()
"""Without a locale."""


def display_of(locale: str | None) -> Display:
    """
    Return how numbers and dates look in `locale`, such as "de-DE", "fr_CH" or "sv_SE.UTF-8"; None and "none": plain.

    Raises SettingsError where there is no such locale, or no Babel to ask.
    """
    return PLAIN if locale is None or locale == NO_LOCALE else _read(locale)


# Unicode Technical Standard 35, numbering systems (numberingSystems.xml of CLDR): Babel has their names only.
_ZEROS = {
    "adlm": "\U0001e950", "arab": "\u0660", "arabext": "\u06f0", "beng": "\u09e6", "cakm": "\U00011136",
    "deva": "\u0966", "hmnp": "\U0001e140", "mtei": "\uabf0", "mymr": "\u1040", "nkoo": "\u07c0", "olck": "\u1c50",
    "tibt": "\u0f20",
}  # fmt: skip
# Marks that order text on a line from right to left: on ours, which go from left to right, signs stand in front.
_MARKS = dict.fromkeys(map(ord, "\u061c\u200e\u200f"))
_ISO_DAY = "y-MM-dd"


@cache
def _read(locale: str) -> Display:
    found = _known(locale)
    system = found.default_numbering_system
    zero = _ZEROS.get(system, "0")
    symbols = {**found.number_symbols["latn"], **(found.number_symbols.get(system, {}) if zero != "0" else {})}
    decimal, group, minus = (symbols[name].translate(_MARKS) for name in ("decimal", "group", "minusSign"))
    last, before = found.decimal_formats[None].grouping
    has_groups = last < 10  # CLDR's pattern of a locale without groups has one of a thousand digits
    skeletons = {name: str(skeleton.pattern) for name, skeleton in found.datetime_skeletons.items()}
    return Display(
        locale=str(found).replace("_", "-"),
        decimal=decimal,
        group=group if has_groups else "",
        groups=(last, before) if has_groups else (3, 3),
        minus=minus,
        zero=zero,
        day=_template(skeletons.get("yMd", _ISO_DAY)),
        minute=_template(skeletons.get("Hm", "HH:mm")),
        second=_template(skeletons.get("Hms", "HH:mm:ss")),
    )


def _known(locale: str) -> Locale:
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError:
        raise SettingsError(
            f'locale "{locale}" needs Babel, which is not installed',
            hint=f"install the extra: pip install 'reconcile[locale]'; \"{NO_LOCALE}\" needs nothing",
        ) from None
    # POSIX writes sv_SE.UTF-8@euro; `no` is Norwegian's older code, which CLDR has without a country only.
    tag = re.sub("^no(?=-|$)", "nb", re.split("[.@]", locale)[0].replace("_", "-"), flags=re.IGNORECASE)
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        raise SettingsError(
            f'locale "{locale}" is not known', hint='write language and country, such as "de-DE", "fr-CH" or "en-US"'
        ) from None


def _template(pattern: str) -> str:
    """Return a date pattern of CLDR as a template of `str.format`."""
    from babel.dates import tokenize_pattern

    parts = []
    for _, token in tokenize_pattern(pattern.translate(_MARKS)):
        if isinstance(token, str):
            parts.append(token.replace("{", "{{").replace("}", "}}"))
        else:
            name, width = token
            parts.append(f"{{{name}:0{width}}}")
    return "".join(parts)


def _filled(template: str, moment: date) -> str:
    day = {"y": moment.year, "M": moment.month, "d": moment.day}
    if isinstance(moment, datetime):
        return template.format(**day, H=moment.hour, m=moment.minute, s=moment.second)
    return template.format(**day)


@cache
def _digits_from(zero: str) -> dict[int, str]:
    return {ord("0") + place: chr(ord(zero) + place) for place in range(10)}
