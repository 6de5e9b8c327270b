"""
What `summary.json` holds, field by field: types, whether a value may be missing, and what each says.

Shapes only, from which the JSON Schema is made; the figures come from `reconcile.figures.totals` and its neighbours.
Amounts end in `_cents` and are integer minor units of the currency beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from reconcile.figures.totals import VERSION
from reconcile.matching.policy import KEYS, Kind, Status
from reconcile.money import AMOUNT_BASES

Count = Annotated[int, Meta(ge=0)]
Date = Annotated[str, Meta(extra_json_schema={"format": "date"})]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Key = Annotated[str, Meta(extra_json_schema={"enum": list(KEYS)})]
Mode = Literal["live", "test"]
Verdict = Annotated[
    Literal["clean", "clean_with_exceptions", "over_limit"],
    Meta(description="clean: no break; clean_with_exceptions: breaks, within all limits; over_limit: a limit exceeded"),
]
Currency = Annotated[str | None, Meta(description="ISO 4217; null where the rows have none")]


class FrameCounts(Struct, forbid_unknown_fields=True, frozen=True):
    """Rows of each side that were matched, and what came of them."""

    payments: Annotated[Count, Meta(description="payments that were matched")]
    orders: Annotated[Count, Meta(description="order rows that were matched")]
    items: Annotated[Count, Meta(description="items: pairs, groups, and rows without a partner")]
    breaks: Annotated[Count, Meta(description="items of the kind break")]


class Counts(FrameCounts, forbid_unknown_fields=True, frozen=True):
    """Rows of each side, and what came of them."""

    rejects: Annotated[Count, Meta(description="order rows that could not be read; they are in no item")]


class StatusAmounts(Struct, forbid_unknown_fields=True, frozen=True):
    """The items of one status and currency."""

    currency_code: Currency
    count: Annotated[Count, Meta(description="items")]
    payment_amount_cents: Annotated[int | None, Meta(description="sum of the payments; null where there are none")]
    order_amount_cents: Annotated[int | None, Meta(description="sum of the order rows; null where there are none")]
    difference_cents: Annotated[int | None, Meta(description="sum of payment minus order; null where none is computed")]
    at_stake_cents: Annotated[
        Count, Meta(description="sum of what differs, or of the whole amount where there is nothing to compare it with")
    ]
    accepted_count: Annotated[Count, Meta(description="items that people have accepted")]
    accepted_at_stake_cents: Annotated[Count, Meta(description="at stake in the accepted ones")]


class StatusLine(Struct, forbid_unknown_fields=True, frozen=True):
    """The items of one status."""

    status: Annotated[Status, Meta(description="the status")]
    kind: Annotated[Kind, Meta(description="its kind")]
    count: Annotated[Count, Meta(description="items of all currencies")]
    amounts: Annotated[list[StatusAmounts], Meta(description="by currency code; null last")]


class ControlLine(Struct, forbid_unknown_fields=True, frozen=True):
    """One side in one currency: what went in is what came out."""

    currency_code: Currency
    rows_in: Annotated[Count, Meta(description="rows as read")]
    amount_in_cents: Annotated[int, Meta(description="their sum")]
    rows_out: Annotated[Count, Meta(description="rows that the items stand for")]
    amount_out_cents: Annotated[int, Meta(description="their sum")]


class Control(Struct, forbid_unknown_fields=True, frozen=True):
    """Control totals of both sides, by currency code; null last."""

    payments: Annotated[list[ControlLine], Meta(description="the payment side")]
    orders: Annotated[list[ControlLine], Meta(description="the order side")]


class HashTotal(Struct, forbid_unknown_fields=True, frozen=True):
    """
    One side in one currency: a sum over the names of its rows, as decimal text.

    Of each row it adds the first 15 hex digits of the MD5 of its name, as a number. A payment is named by its id and
    its reference ("id reference"), an order row by its place ("file:line").
    """

    currency_code: Currency
    keys_in: Annotated[str, Meta(pattern="^[0-9]+$", description="of the rows as read")]
    keys_out: Annotated[
        str | None, Meta(description="of the rows in the items, the same; null where order rows were added up into one")
    ]


class HashTotals(Struct, forbid_unknown_fields=True, frozen=True):
    """Hash totals of both sides, by currency code; null last."""

    payments: Annotated[list[HashTotal], Meta(description="the payment side")]
    orders: Annotated[list[HashTotal], Meta(description="the order side")]


class BridgeStep(Struct, forbid_unknown_fields=True, frozen=True):
    """What the items of one status add to the difference of the totals."""

    status: Annotated[Status, Meta(description="the status")]
    payment_amount_cents: Annotated[int, Meta(description="sum of the payments in the currency of the bridge")]
    order_amount_cents: Annotated[int, Meta(description="sum of the order rows in the currency of the bridge")]
    difference_cents: Annotated[int, Meta(description="payments minus order rows")]


class Bridge(Struct, forbid_unknown_fields=True, frozen=True):
    """From the payments' total to that of the order rows, in one currency."""

    currency_code: Currency
    payment_amount_cents: Annotated[int, Meta(description="total of the payments")]
    order_amount_cents: Annotated[int, Meta(description="total of the order rows")]
    difference_cents: Annotated[int, Meta(description="payments minus order rows")]
    statuses: Annotated[list[BridgeStep], Meta(description="what explains it, by status")]
    unexplained_cents: Annotated[
        Literal[0], Meta(description="what no status explains: nothing, else no run is published")
    ]


class FlagAgreement(Struct, forbid_unknown_fields=True, frozen=True):
    """What the API says (`mismatched_amounts`) against what the amounts say, in items that have a payment."""

    flagged_and_differs: Annotated[Count, Meta(description="flagged, and the amounts differ")]
    flagged_but_agrees: Annotated[Count, Meta(description="flagged, but the amounts agree")]
    differs_not_flagged: Annotated[Count, Meta(description="not flagged, but the amounts differ")]
    agree: Annotated[Count, Meta(description="not flagged, and the amounts agree")]
    not_comparable: Annotated[Count, Meta(description="without a flag, or without two amounts to compare")]


class AtStake(Struct, forbid_unknown_fields=True, frozen=True):
    """At stake in one currency."""

    currency_code: Currency
    at_stake_cents: Annotated[Count, Meta(description="at stake in the breaks")]


class AgingBucket(Struct, forbid_unknown_fields=True, frozen=True):
    """Breaks of one age."""

    bucket: Annotated[
        str,
        Meta(
            pattern="^([0-9]+-[0-9]+|over [0-9]+|no date)$",
            description='first and last day ("0-1"), "over 90", or "no date"',
        ),
    ]
    count: Annotated[Count, Meta(description="breaks")]
    amounts: Annotated[list[AtStake], Meta(description="by currency code; null last; empty without breaks")]


class Moved(Struct, forbid_unknown_fields=True, frozen=True):
    """Breaks that made one move, and what they put at stake."""

    count: Annotated[int, Meta(description="breaks; negative where changed ones went to another currency")]
    amount_cents: Annotated[int, Meta(description="at stake; negative where open breaks lost some of it")]


class RollForward(Struct, forbid_unknown_fields=True, frozen=True):
    """opening + new + reopened + changed - cleared = closing, in one currency, in count and amount."""

    currency_code: Currency
    opening: Annotated[Moved, Meta(description="breaks of the run before")]
    new: Annotated[Moved, Meta(description="breaks that never were one before")]
    reopened: Annotated[Moved, Meta(description="breaks that were one before, but not in the run before")]
    changed: Annotated[Moved, Meta(description="what open breaks gained or lost, or brought from another currency")]
    cleared: Annotated[Moved, Meta(description="breaks of the run before that are none now")]
    closing: Annotated[Moved, Meta(description="breaks of this run")]


MOVES = tuple(name for name in RollForward.__struct_fields__ if name != "currency_code")
"""The moves of a roll-forward, in their order."""

VERDICTS = {"clean": "Clean", "clean_with_exceptions": "Clean with exceptions", "over_limit": "Over limit"}
"""Verdicts of a run as people read them."""


def at_stake(statuses: Iterable[Mapping[str, Any]]) -> dict[str | None, int]:
    """Return what the breaks among `statuses` (of a summary) put at stake, by currency code, null last; never 0."""
    stake: dict[str | None, int] = {}
    for line in (line for status in statuses if status["kind"] == Kind.BREAK for line in status["amounts"]):
        stake[line["currency_code"]] = stake.get(line["currency_code"], 0) + (line.get("at_stake_cents") or 0)
    by_code = sorted(stake.items(), key=lambda total: (total[0] is None, total[0] or ""))
    return {code: cents for code, cents in by_code if cents}


class KeyUse(Struct, forbid_unknown_fields=True, frozen=True):
    """How one side uses one key."""

    key: Annotated[Key, Meta(description="the key")]
    rows: Annotated[Count, Meta(description="rows of the side")]
    null: Annotated[Count, Meta(description="rows without it")]
    blank: Annotated[Count, Meta(description="rows of whose key cleaning leaves nothing")]


class Pass(Struct, forbid_unknown_fields=True, frozen=True):
    """One pass of the matching: what reached it with its key, and what it paired."""

    key: Annotated[Key, Meta(description="the key of the pass")]
    payments: Annotated[Count, Meta(description="payments that reached it with the key")]
    orders: Annotated[Count, Meta(description="order rows that reached it with the key")]
    payment_keys_twice: Annotated[Count, Meta(description="keys that several of these payments have")]
    order_keys_twice: Annotated[Count, Meta(description="keys that several of these order rows have")]
    shared_keys: Annotated[Count, Meta(description="keys on both sides")]
    pairs: Annotated[Count, Meta(description="pairs made")]


class KeyCleaning(Struct, forbid_unknown_fields=True, frozen=True):
    """What the rules of `[match.clean]` did to one key of one side."""

    side: Annotated[Literal["payments", "orders"], Meta(description="the side")]
    key: Annotated[Key, Meta(description="the key")]
    changed: Annotated[dict[str, Count], Meta(description="rule to the rows whose key it changed")]
    emptied: Annotated[Count, Meta(description="rows of whose key nothing was left")]
    collisions: Annotated[Count, Meta(description="keys that stand for several ways of writing")]


class KeyProfile(Struct, forbid_unknown_fields=True, frozen=True):
    """How usable the keys are, and how they were used."""

    payments: Annotated[list[KeyUse], Meta(description="keys of the payment side")]
    orders: Annotated[list[KeyUse], Meta(description="keys of the order side")]
    passes: Annotated[list[Pass], Meta(description="passes, in the order in which they were made")]
    cleaning: Annotated[list[KeyCleaning], Meta(description="what clean-up rules did; empty without rules")]
    hint: Annotated[str | None, Meta(description="what would make keys meet where hardly any do, as counted")]


class Pattern(Struct, forbid_unknown_fields=True, frozen=True):
    """What several breaks have in common."""

    kind: Annotated[Literal["difference", "rate", "day", "file"], Meta(description="what it is that they share")]
    status: Annotated[Status | None, Meta(description="the status of the breaks; null for any")]
    currency_code: Annotated[str | None, Meta(description="of a difference; null for other kinds")]
    value: Annotated[int | str, Meta(description="a difference in minor units; a rate, a day or a file as text")]
    count: Annotated[Count, Meta(description="breaks that have it")]
    of: Annotated[Count, Meta(description="breaks that could have it")]
    text: Annotated[str, Meta(description="the same in words")]


class TrendRun(Struct, forbid_unknown_fields=True, frozen=True):
    """One of the runs before this one."""

    business_date: Annotated[Date, Meta(description="the date it stands for")]
    verdict: Verdict
    items: Annotated[Count, Meta(description="items")]
    breaks: Annotated[Count, Meta(description="breaks")]
    at_stake: Annotated[
        dict[str, Count], Meta(description='currency code ("none" without one) to minor units at stake in the breaks')
    ]


class Pull(Struct, forbid_unknown_fields=True, frozen=True):
    """What the payments cost to read, and what proves that they are all there."""

    payments: Annotated[Count, Meta(description="payments pulled")]
    requests: Annotated[Count, Meta(description="requests sent, those of interrupted attempts included")]
    bytes_received: Annotated[Count, Meta(description="bytes of their answers")]
    retries: Annotated[Count, Meta(description="requests that were repeated")]
    rate_limited: Annotated[Count, Meta(description="answers that refused because of the rate limit")]
    shards: Annotated[Count, Meta(description="parts of the window that were walked")]
    rewalks: Annotated[Count, Meta(description="parts that were walked again because their counts disagreed")]
    count_before: Annotated[Count, Meta(description="the server's count before the pull")]
    count_after: Annotated[Count, Meta(description="the server's count after it")]
    since: Annotated[Moment | None, Meta(description="payments created before this were not asked for; null: no limit")]
    until: Annotated[Moment, Meta(description="the cut-off: payments created before it were seen")]
    started_at: Annotated[Moment, Meta(description="when the pull began")]
    finished_at: Annotated[Moment, Meta(description="when it ended")]
    organization: Annotated[str, Meta(description="slug of the organization")]
    mode: Annotated[Mode, Meta(description="the mode of every payment")]
    resumed: Annotated[bool, Meta(description="it went on from an attempt that broke off, and read what changed since")]
    clock_offset_seconds: Annotated[
        float | None, Meta(description="the server's clock minus this machine's; null when not told")
    ]
    transport: Annotated[
        Literal["pages", "exports", "exports, then pages"], Meta(description="how the payments were read")
    ]
    transport_reason: Annotated[str, Meta(description="why that way")]
    incremental: Annotated[
        bool, Meta(description="what changed was read over the rows of an earlier pull; count_before then counts that")
    ]
    updated: Annotated[Count, Meta(description="payments read because they changed, with the overlap")]
    rechecked: Annotated[Count, Meta(description="payments read by id, as flagged or as breaks")]
    vanished: Annotated[Count, Meta(description="payments of the mirror that are gone")]
    warnings: Annotated[list[str], Meta(description="what the figures do not say")]


class Figures(Struct, forbid_unknown_fields=True, frozen=True):
    """What follows from the items alone."""

    statuses: Annotated[list[StatusLine], Meta(description="by kind (ok, timing, info, break), then by status")]
    control: Annotated[Control, Meta(description="control totals")]
    bridge: Annotated[list[Bridge], Meta(description="by currency code; null last")]
    flag_agreement: Annotated[FlagAgreement, Meta(description="what the API says against what is found")]
    aging: Annotated[
        list[AgingBucket], Meta(description="breaks by age, youngest first; every bucket, also empty ones")
    ]
    key_profile: Annotated[KeyProfile, Meta(description="the keys of both sides")]
    patterns: Annotated[list[Pattern], Meta(description="what breaks have in common, the most frequent first")]


class FrameSummary(Figures, forbid_unknown_fields=True, frozen=True):
    """`result.summary` of `reconcile.match_payments`: the figures of frames, without those of a run."""

    counts: Annotated[FrameCounts, Meta(description="rows, items and breaks")]


class Summary(Figures, forbid_unknown_fields=True, frozen=True):
    """`summary.json` of a run folder."""

    version: Annotated[int, Meta(description="of this schema", extra_json_schema={"const": VERSION})]
    business_date: Annotated[Date, Meta(description="the date the run stands for")]
    run_id: Annotated[str, Meta(description="the run: equal inputs, settings and history give equal ones")]
    organization: Annotated[str | None, Meta(description="slug of the organization; null where a match is not told it")]
    mode: Annotated[
        Mode | None, Meta(description="the mode that payments must have; null where a match is not told it")
    ]
    amount_basis: Annotated[
        str, Meta(description="the column that is a payment's amount", extra_json_schema={"enum": list(AMOUNT_BASES)})
    ]
    verdict: Verdict
    counts: Annotated[Counts, Meta(description="rows, items, breaks and rejects")]
    hash_totals: Annotated[HashTotals, Meta(description="that the rows that came out are those that went in, by name")]
    aging_from_data: Annotated[
        list[AgingBucket],
        Meta(description='breaks by days since their order or payment, in the buckets of aging, and "no date" if any'),
    ]
    roll_forward: Annotated[
        list[RollForward], Meta(description="breaks since the run before; by currency code, null last")
    ]
    trend: Annotated[list[TrendRun], Meta(description="the last 30 runs of dates before this one, oldest first")]
    limits_exceeded: Annotated[list[str], Meta(description="limits of --fail-on that are exceeded, in words")]
    warnings: Annotated[list[str], Meta(description="what a reader must know besides the figures")]
    pull: Annotated[Pull | None, Meta(description="the pull; null for a match of files")]
    seconds: Annotated[dict[str, float], Meta(description="stage to the seconds it took")]
