"""`reconcile explain`: why an item is what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.history import trail_lines
from reconcile.cli.listing import plain_value, show_json, show_lines, text_format_option
from reconcile.cli.options import SectionedCommand, Session, command, run_options, trail_options

if TYPE_CHECKING:
    from reconcile.operations.explain import Explanation, KeyTried
    from reconcile.operations.history import History
    from reconcile.schema import Row


@click.command(cls=SectionedCommand, short_help="Explain an item: both sides, key, rule, history.")
@click.argument("reference")
@run_options
@click.option("--history", "with_history", is_flag=True, help="Also what happened to it in Commerce Layer, read now.")
@trail_options
@text_format_option
@command
def explain(
    session: Session, reference: str, run: Path | None, form: str, *, with_history: bool, **options: Any
) -> None:
    """
    Explain the items that REFERENCE names: both sides as read, the keys tried, the verdict, earlier nights.

    Of an item without a partner, also the nearest rows of the other side; none of them is a match. With --history what
    happened to the payment and its order, as `reconcile history` shows it; times are those of --time-zone.

    REFERENCE is a reference, an order number, a payment id or an item id, also as `breaks list` shows it.
    """
    settings = session.settings(**options)

    from reconcile.errors import CommerceLayerError
    from reconcile.history import breaks
    from reconcile.operations import explain

    zone = settings.population.time_zone
    found = explain.explain(run or breaks.latest_run(settings.out), reference)
    if not with_history:
        _show(found, (), form, zone)
        return
    from reconcile.operations.history import histories_of

    try:
        histories = histories_of(settings, session.secrets(), [one.item for one in found])
    except CommerceLayerError:
        if form == "text":  # what the run knows is no worse for it
            _show(found, (), form, zone)
        raise
    _show(found, histories, form, zone)


def _show(found: Sequence[Explanation], histories: Sequence[History], form: str, time_zone: str) -> None:
    told = list(zip_longest(found, histories))
    if form == "json":
        show_json([asdict(one) | ({"history": past.rows} if past else {}) for one, past in told])
        return
    for place, (one, past) in enumerate(told):
        show_lines(["", *_lines(one)] if place else _lines(one))
        if past:
            show_lines(trail_lines(past, time_zone))


def _lines(one: Explanation) -> Iterator[str]:
    item, name = one.item, "order total"
    yield from _verdict(one)
    yield from _side("payment", one.payment, "none")
    if one.order is not None and item["order_amount_cents"] != one.order["amount_cents"]:  # `--group-orders sum`
        total = _money(item["order_amount_cents"], item["order_currency_code"])
        name = f"order total: {total}, the sum of several rows, of which this is the first"
    yield from _side(name, one.order, "none")
    yield "  keys, in the order tried"
    for tried in one.keys:
        yield f"    {_tried(tried)}"
    yield from _similar(one)
    yield from _nights(one)


def _verdict(one: Explanation) -> Iterator[str]:
    from reconcile.matching.policy import LABEL_OF

    item, code = one.item, one.currency_code
    name = item["reference"] or item["payment_id"] or item["item_id"]
    yield f"{name}  {LABEL_OF[item['status']]} ({item['kind']}, {item['status']})"
    yield f"  {one.meaning}"
    if item["difference_cents"] is not None:
        difference = f"  payment minus order: {_money(item['difference_cents'], code)}"
        yield difference + (f", allowed {_money(one.allowed_cents, code)}" if one.allowed_cents else "")
    if item["at_stake_cents"] not in (None, 0, abs(item["difference_cents"] or 0)):
        yield f"  at stake: {_money(item['at_stake_cents'], item['at_stake_currency_code'])}"
    if item["suggestion"]:
        yield f"  likely cause: {item['suggestion']}"
    if item["accepted_reason"]:
        until = f" until {item['accepted_until']}" if item["accepted_until"] else ""
        yield f"  accepted{until}: {item['accepted_reason']}"
    if item["accepted_for"]:
        yield f"  accepted no longer, it was for: {item['accepted_for']}"
    yield f"  item {item['item_id']}"
    if item["break_id"] not in (None, item["item_id"]):
        yield f"  break {item['break_id']}"
    if item["changed_from_status"]:
        yield f"  until the run before: {LABEL_OF[item['changed_from_status']]}"


def _nights(one: Explanation) -> Iterator[str]:
    from reconcile.matching.policy import LABEL_OF

    if one.nights:
        yield "  history as a break"
    for night in one.nights:
        amount = night.difference_cents
        shown = f" {_money(amount, one.currency_code)}" if amount is not None else ""
        accepted = f", accepted: {night.accepted_reason}" if night.accepted_reason else ""
        yield f"    {night.business_date}  {LABEL_OF[night.status]}{shown}{accepted}"


def _similar(one: Explanation) -> Iterator[str]:
    from reconcile.matching.policy import LABEL_OF

    if one.candidates:
        yield "  similar rows on the other side, most similar first; none of them is a match"
    for near in one.candidates:
        amount = f" {_money(near.amount_cents, near.currency_code)}" if near.amount_cents is not None else ""
        named = f'{near.name} "{near.reference}"' if near.reference is not None else near.name
        yield f"    {named}{amount} ({LABEL_OF[near.status]}): {', '.join(near.why)}"


def _side(name: str, row: Row | None, nothing: str) -> Iterator[str]:
    if row is None:
        yield f"  {name}: {nothing}"
        return
    yield f"  {name}"
    for column, value in row.items():
        if value is not None:
            name = column.removesuffix("_cents")
            shown = str(value).lower() if isinstance(value, bool) else plain_value(value)
            yield f"    {name:<26} {shown if name == column else _money(value, row['currency_code'])}"


def _money(cents: int | None, currency_code: str | None) -> str:
    from reconcile.reports.terminal import grouped_amount

    return f"{grouped_amount(cents, currency_code)} {currency_code or ''}".rstrip()


def _tried(tried: KeyTried) -> str:
    name = f"{tried.key:<15}"
    if tried.payment is None and tried.order is None:
        return f"{name} on neither side"
    keys = [f'"{text}"' for text in dict.fromkeys((tried.payment, tried.order)) if text is not None]
    counts = f"{_counted(tried.payments, 'payment')}, {_counted(tried.orders, 'order row')}"
    if tried.paired:
        return f"{name} {keys[0]}: {counts}: this pair"
    if not tried.payments or not tried.orders:
        outcome = "nothing to pair with"
    elif len(keys) > 1:
        outcome = "the keys differ"
    else:
        outcome = "not unique, or paired before: left unmatched"
    return f"{name} {' and '.join(keys)}: {counts}: {outcome}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
