"""
Limits that stop the close: `breaks>0`, `amount>100.00EUR`, `percent>0.1`, of one status too; `warning:stale_orders`.

Knows the notation, the figures of a summary and its warnings; what exceeds a limit is said in words. Breaks that
somebody has accepted count against no limit, and what was set aside as asked (a note) is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from reconcile.errors import SettingsError
from reconcile.figures.summary import Figures
from reconcile.matching.policy import Kind
from reconcile.money import AmountError, format_amount, parse_amount
from reconcile.notices import NOTES, WARNINGS, Notice

_NOTATION = re.compile(
    r"\s*(?:(?P<status>[a-z_]+)\.)?(?P<measure>[a-z_]+)\s*>\s*(?P<value>[0-9]+(?:\.[0-9]+)?)\s*(?P<currency>[A-Z]{3})?\s*"
)
_WARNING = re.compile(r"\s*warning\s*:(?P<code>[^>]*)")


@dataclass(frozen=True, slots=True)
class Limit:
    """
    One limit: what is measured must not be above `value` (a count, minor units of `currency_code`, percent).

    Of warnings of the code `warning` there must be none.
    """

    text: str
    measure: Literal["count", "amount", "percent", "warnings"]
    value: Decimal = Decimal(0)
    status: str | None = None
    currency_code: str | None = None
    warning: str | None = None


def parse_limit(text: str, statuses: Collection[str], *, option: str = "--fail-on") -> Limit:
    """
    Return the limit written in `text`; `statuses` are the statuses there are, `option` is what errors name.

    `breaks>0` counts all breaks, `missing_order>3` those of one status; `amount>100.00EUR` adds up what is at
    stake in one currency; `percent>0.1` takes breaks per hundred items; `missing_order.amount>50EUR` and
    `missing_order.percent>1` do so for one status. `warning:stale_orders` is exceeded by a warning of that code.

    Raises SettingsError when the text is none of these.
    """
    if (of_warning := _WARNING.fullmatch(text)) is not None:
        return Limit(text.strip(), "warnings", warning=_warning_code(text, of_warning["code"].strip(), option))
    match = _NOTATION.fullmatch(text)
    if match is None:
        raise _unreadable(text, option)
    status, measure, value, currency = match["status"], match["measure"], match["value"], match["currency"]
    if status is None and measure in statuses:
        status, measure = measure, "count"
    if status is not None and status not in statuses:
        raise SettingsError(f'{option} "{text}": there is no status {status}', hint=f"one of {', '.join(statuses)}")
    if measure in ("breaks", "count") and currency is None and "." not in value:
        return Limit(text.strip(), "count", Decimal(value), status)
    if measure == "percent" and currency is None:
        return Limit(text.strip(), "percent", Decimal(value), status)
    if measure == "amount" and currency is not None:
        try:
            return Limit(text.strip(), "amount", Decimal(parse_amount(value, currency)), status, currency)
        except AmountError as error:
            raise SettingsError(f'{option} "{text}": {error}') from error
    raise _unreadable(text, option)


def exceeded(limits: Iterable[Limit], figures: Figures, warnings: Sequence[Notice] = ()) -> list[str]:
    """Return one sentence for each of `limits` that the figures of a summary, or its `warnings`, exceed."""
    sentences = []
    for limit in limits:
        if limit.measure == "warnings":
            texts = [one.text for one in warnings if one.code == limit.warning]
            sentences += [f"{limit.text}: {'; '.join(texts)}"] if texts else []
            continue
        found = _measured(limit, figures)
        if found > limit.value:
            sentences.append(f"{limit.text}: {_in_words(limit, found)}")
    return sentences


def _measured(limit: Limit, figures: Figures) -> Decimal:
    lines = [
        line for line in figures.statuses if (line.status == limit.status if limit.status else line.kind == Kind.BREAK)
    ]
    if limit.measure == "amount":
        mine = [one for line in lines for one in line.amounts if one.currency_code == limit.currency_code]
        return Decimal(sum(one.at_stake_cents - one.accepted_at_stake_cents for one in mine))
    count = Decimal(sum(line.count - line.accepted_count for line in lines))
    if limit.measure == "count":
        return count
    return count * 100 / figures.counts.items if figures.counts.items else Decimal(0)


def _in_words(limit: Limit, found: Decimal) -> str:
    what = limit.status or "breaks"
    if limit.measure == "amount":
        assert limit.currency_code, "an amount has a currency"
        return f"{format_amount(int(found), limit.currency_code)} {limit.currency_code} at stake in {what}"
    if limit.measure == "percent":
        return f"{found:.3f} % of the items are {what}"
    if limit.status is None:
        return f"{found} break{'' if found == 1 else 's'}"
    return f"{found} item{' is' if found == 1 else 's are'} {what}"


def _warning_code(text: str, code: str, option: str) -> str:
    if code in NOTES:
        raise SettingsError(
            f'{option} "{text}": {code} is a note of what was set aside as asked, which is no limit',
            hint=f'to limit what is set aside, write a status: {option} "out_of_period>10"',
        )
    if code not in WARNINGS:
        raise SettingsError(f'{option} "{text}": there is no warning {code}', hint=f"one of {', '.join(WARNINGS)}")
    return code


def _unreadable(text: str, option: str) -> SettingsError:
    return SettingsError(
        f'{option} "{text}": is not a limit',
        hint='write "breaks>0", "amount>100.00EUR", "percent>0.1", "missing_order>3", "missing_order.amount>50EUR" '
        'or "warning:stale_orders"',
    )
