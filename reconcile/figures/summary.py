"""
`summary.json` of a run folder, field by field, and the one way to read it.

The structs are the document: made by `reconcile.figures.totals` and its neighbours, written as they are, read back
here; the published JSON Schema is made from them. Amounts end in `_cents` and are integer minor units of the currency
beside them. A field that came later has a default: summaries written before it are still read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from reconcile.errors import OutputError
from reconcile.figures.aging import AgingBucket
from reconcile.figures.breakdown import Breakdown
from reconcile.figures.patterns import Pattern
from reconcile.figures.proof import HashTotals
from reconcile.figures.pulled import Mode, Pull
from reconcile.figures.roll_forward import Apart, RollForward
from reconcile.figures.statuses import StatusLine
from reconcile.matching.policy import Kind, Status
from reconcile.matching.report import KeyProfile
from reconcile.money import AMOUNT_BASES, currency_order
from reconcile.notices import Notice, notice
from reconcile.orders.report import BookChange, BookTotal, LeftOut
from reconcile.runs.run_folder import RunFolder
from reconcile.schema import Count, Currency, means

VERSION = 2
"""Of the schema. It grows when a field goes, gets another name or another meaning; a new field does not grow it."""

VERDICTS = {"clean": "Clean", "clean_with_exceptions": "Exceptions to review", "over_limit": "Over limit"}
"""Verdicts of a run as people read them."""

NO_CURRENCY = "none"
"""In place of a currency code, where amounts are by currency and rows have none."""

_MOST_QUOTED = 200  # characters

Verdict = Annotated[
    Literal["clean", "clean_with_exceptions", "over_limit"],
    means("clean: no break; clean_with_exceptions: breaks, within all limits; over_limit: a limit exceeded"),
]


class FrameCounts(Struct, frozen=True):
    """Rows of each side that were matched, and what came of them."""

    payments: Annotated[Count, means("payments that were matched")]
    orders: Annotated[Count, means("order rows that were matched")]
    items: Annotated[Count, means("items: pairs, groups, and rows without a partner")]
    breaks: Annotated[Count, means("items of the kind break")]


class Counts(FrameCounts, frozen=True):
    """Rows of each side, and what came of them."""

    rejects: Annotated[Count, means("order rows that could not be read; they are in no item")]


class ControlLine(Struct, frozen=True):
    """One side in one currency: what went in is what came out."""

    currency_code: Currency
    rows_in: Annotated[Count, means("rows as read")]
    amount_in_cents: Annotated[int, means("their sum")]
    rows_out: Annotated[Count, means("rows that the items stand for")]
    amount_out_cents: Annotated[int, means("their sum")]


class Control(Struct, frozen=True):
    """Control totals of both sides, by currency code; null last."""

    payments: Annotated[tuple[ControlLine, ...], means("the payment side")]
    orders: Annotated[tuple[ControlLine, ...], means("the order side")]


class BridgeStep(Struct, frozen=True):
    """What the items of one status add to the difference of the totals."""

    status: Annotated[Status, means("the status")]
    payment_amount_cents: Annotated[int, means("sum of the payments in the currency of the bridge")]
    order_amount_cents: Annotated[int, means("sum of the order rows in the currency of the bridge")]
    difference_cents: Annotated[int, means("payments minus order rows")]


class Bridge(Struct, frozen=True):
    """From the payments' total to that of the order rows, in one currency."""

    currency_code: Currency
    payment_amount_cents: Annotated[int, means("total of the payments")]
    order_amount_cents: Annotated[int, means("total of the order rows")]
    difference_cents: Annotated[int, means("payments minus order rows")]
    statuses: Annotated[tuple[BridgeStep, ...], means("what explains it, by status")]
    unexplained_cents: Annotated[Literal[0], means("what no status explains: nothing, else no run is published")]

    @property
    def moves_money(self) -> bool:
        """Whether a side has an amount at all."""
        return bool(self.payment_amount_cents or self.order_amount_cents)


class FlagAgreement(Struct, frozen=True):
    """What the API says (`mismatched_amounts`) against what the amounts say, in items that have a payment."""

    flagged_and_differs: Annotated[Count, means("flagged, and the amounts differ")]
    flagged_but_agrees: Annotated[Count, means("flagged, but the amounts agree")]
    differs_not_flagged: Annotated[Count, means("not flagged, but the amounts differ")]
    agree: Annotated[Count, means("not flagged, and the amounts agree")]
    not_comparable: Annotated[Count, means("without a flag, or without two amounts to compare")]


class TrendRun(Struct, frozen=True):
    """One of the runs before this one."""

    business_date: Annotated[date, means("the date it stands for")]
    verdict: Verdict
    items: Annotated[Count, means("items")]
    breaks: Annotated[Count, means("breaks")]
    at_stake: Annotated[
        dict[str, Count], means('currency code ("none" without one) to minor units at stake in the breaks')
    ]


class OrderBookFigures(Struct, frozen=True):
    """The order side built up from deliveries: before + changes = after, in every currency."""

    deliveries: Annotated[Count, means("deliveries that it is made of, this run's with them")]
    before: Annotated[tuple[BookTotal, ...], means("the order book before this run's delivery")]
    changes: Annotated[tuple[BookChange, ...], means("what this run's delivery did to it")]
    after: Annotated[tuple[BookTotal, ...], means("the order book after it, which is the order side of this run")]

    @property
    def lines(self) -> list[BookChange]:
        """All of it as changes, for people: what was there came in once, what is there now is the last lines."""
        return [*_at_rest("before", self.before), *self.changes, *_at_rest("after", self.after)]


def _at_rest(kind: Literal["before", "after"], totals: Iterable[BookTotal]) -> list[BookChange]:
    return [BookChange(kind, line.currency_code, 0, 0, line.rows, line.amount_cents) for line in totals]


Statuses = Annotated[tuple[StatusLine, ...], means("by kind (ok, timing, info, break), then by status")]
Controls = Annotated[Control, means("control totals")]
Bridges = Annotated[tuple[Bridge, ...], means("by currency code; null last")]
Flags = Annotated[FlagAgreement, means("what the API says against what is found")]
Aging = Annotated[tuple[AgingBucket, ...], means("breaks by age, youngest first; every bucket, also empty ones")]
AgingFromData = Annotated[
    tuple[AgingBucket, ...],
    means('breaks by days since their order or payment, in the buckets of aging, and "no date" if any'),
]
Keys = Annotated[KeyProfile, means("the keys of both sides")]
Patterns = Annotated[tuple[Pattern, ...], means("what breaks have in common, the most frequent first")]


Breakdowns = Annotated[
    tuple[Breakdown, ...],
    means("all items by market, by payment gateway and by each carried column, where they have any"),
]


class FrameSummary(Struct, frozen=True):
    """`result.summary` of `reconcile.match_payments`: the figures of frames, without those of a run."""

    counts: Annotated[FrameCounts, means("rows, items and breaks")]
    statuses: Statuses
    control: Controls
    bridge: Bridges
    flag_agreement: Flags
    aging: Aging
    aging_from_data: AgingFromData
    key_profile: Keys
    patterns: Patterns
    breakdown: Breakdowns = ()


class Summary(Struct, frozen=True, kw_only=True):
    """`summary.json` of a run folder."""

    version: Annotated[int, Meta(description="of this schema", extra_json_schema={"const": VERSION})]
    business_date: Annotated[date, means("the date the run stands for")]
    run_id: Annotated[str, means("the run: equal inputs, settings and history give equal ones")]
    organization: Annotated[str | None, means("slug of the organization; null where a match does not know it")]
    mode: Annotated[Mode | None, means("the mode that payments must have; null where a match does not know it")]
    amount_basis: Annotated[
        str, Meta(description="the column that is a payment's amount", extra_json_schema={"enum": list(AMOUNT_BASES)})
    ]
    verdict: Verdict
    counts: Annotated[Counts, means("rows, items, breaks and rejects")]
    statuses: Statuses
    control: Controls
    left_out: Annotated[
        tuple[LeftOut, ...], means("order rows that were left out as declared; they are in no other figure")
    ] = ()
    bridge: Bridges = ()
    flag_agreement: Flags
    aging: Aging
    hash_totals: Annotated[HashTotals, means("that the rows that came out are those that went in, by name")] = (
        HashTotals((), ())
    )
    aging_from_data: AgingFromData = ()
    patterns: Patterns = ()
    breakdown: Breakdowns = ()
    roll_forward: Annotated[tuple[RollForward, ...], means("breaks since the run before; by currency code, null last")]
    roll_forward_by_rules: Annotated[
        tuple[RollForward, ...],
        means("where rules changed: from the run before as published to the same matched again with today's rules"),
    ] = ()
    roll_forward_by_data: Annotated[
        tuple[RollForward, ...], means("where rules changed: from the run before matched again to this run")
    ] = ()
    key_profile: Keys
    trend: Annotated[tuple[TrendRun, ...], means("the last 30 runs of dates before this one, oldest first")] = ()
    limits_exceeded: Annotated[tuple[str, ...], means("limits of --fail-on that are exceeded, in words")] = ()
    warnings: Annotated[tuple[Notice, ...], means("what a reader must know besides the figures")] = ()
    order_book: Annotated[
        OrderBookFigures | None, means("the order book; null where the order files are the whole order side")
    ] = None
    pull: Annotated[Pull | None, means("the pull; null for a match of files")] = None
    seconds: Annotated[dict[str, float], means("stage to the seconds it took")] = {}

    @property
    def head(self) -> dict[str, object]:
        """What the manifest begins with, too: which run this is, and its verdict."""
        names = ("version", "business_date", "run_id", "organization", "mode", "amount_basis", "verdict")
        return {name: getattr(self, name) for name in names}

    @property
    def accepted_count(self) -> int:
        """Breaks that people have accepted."""
        return sum(status.accepted_count for status in self.statuses)

    @property
    def apart(self) -> Apart | None:
        """What changed rules did to the breaks, apart from what the data did; null where no rules changed."""
        if not self.roll_forward_by_rules and not self.roll_forward_by_data:
            return None
        return Apart(self.roll_forward_by_rules, self.roll_forward_by_data)

    @property
    def at_stake(self) -> dict[str, int]:
        """Minor units at stake in the breaks, by currency code, NO_CURRENCY last; never 0."""
        stake: dict[str | None, int] = {}
        for line in (line for status in self.statuses if status.kind == Kind.BREAK for line in status.amounts):
            stake[line.currency_code] = stake.get(line.currency_code, 0) + line.at_stake_cents
        by_code = sorted(stake.items(), key=lambda total: currency_order(total[0]))
        return {code or NO_CURRENCY: cents for code, cents in by_code if cents}

    @property
    def as_trend(self) -> TrendRun:
        """This run as a later one shows it."""
        return TrendRun(self.business_date, self.verdict, self.counts.items, self.counts.breaks, self.at_stake)


Figures = FrameSummary | Summary
"""What both have: counts, statuses, control, bridge, flag_agreement, aging, key_profile, patterns."""


def read_summary(folder: Path) -> Summary:
    """
    Return the summary of the run folder `folder`.

    Raises OutputError naming the file, and the field that is missing or not of its type.
    """
    path = RunFolder(folder).summary
    try:
        return msgspec.convert(_with_notices(msgspec.json.decode(path.read_bytes())), Summary)
    except msgspec.ValidationError as error:
        raise OutputError(
            f"{path}: its figures are from another version of reconcile: {_said(error)}",
            hint="run this date again, or use the version that manifest.json names",
        ) from error
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        problem = error.strerror if isinstance(error, OSError) else _said(error)
        raise OutputError(
            f"{path}: cannot be read as the summary of a run: {problem}",
            hint="`reconcile runs verify` reports what was changed",
        ) from error


def _with_notices(document: Any) -> Any:
    """Return a summary's `document` with notices in place of the texts that warnings were in version 1."""
    if isinstance(document, dict):
        for place in (document, document.get("pull")):
            if isinstance(place, dict) and isinstance(warnings := place.get("warnings"), list):
                place["warnings"] = [notice("other", one) if isinstance(one, str) else one for one in warnings]
    return document


def _said(error: Exception) -> str:
    """Return what `error` says; it may quote the file, which can hold anything, between how it begins and the field."""
    text = "".join(sign if sign.isprintable() else "?" for sign in str(error))
    return text if len(text) <= 2 * _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…{text[-_MOST_QUOTED:]}"
