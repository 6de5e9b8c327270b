"""`reconcile orders`: look at order totals before matching them, or export them from Commerce Layer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.listing import show_json, show_lines, text_format_option
from reconcile.cli.options import (
    SectionedCommand,
    Session,
    command,
    connection_options,
    orders_options,
    setting_option,
)

if TYPE_CHECKING:
    from reconcile.orders.databases.url import OrdersQuery
    from reconcile.orders.exports.export import ExportedOrders
    from reconcile.orders.inspection import OrdersLook
    from reconcile.orders.opening import OrderPaths
    from reconcile.orders.places.places import Place
    from reconcile.orders.report import OrderFile
    from reconcile.settings.settings import Settings


@click.group(short_help="Inspect order totals, or export them.")
def orders() -> None:
    """Order totals: look at a file before matching it, or export them from Commerce Layer."""


_SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "\x1f": "unit separator"}
"""Delimiters by name that are hard to see among other characters."""


@orders.command(cls=SectionedCommand, short_help="Show how order totals are read.")
@click.argument("orders", nargs=-1, metavar="ORDERS...")
@click.option("--rows", type=click.IntRange(min=0), default=5, show_default=True, help="First rows to show.")
@click.option("--write-settings", is_flag=True, help="Write what reads the files to the settings file.")
@text_format_option
@setting_option("date")
@orders_options
@command
def inspect(session: Session, rows: int, form: str, *, write_settings: bool, **options: Any) -> None:
    """
    Show how the order totals in ORDERS are read: dialect, columns, first rows, keys, totals and rejects.

    Takes what `reconcile run` takes, reads everything, writes and sends nothing. Exits with 3 when a run would stop at
    the rejects, or at what the sender states. With --write-settings, the order files and what is declared of them, with
    what would have to be, go to the settings file; nothing is written where there is a choice, or rows far down in a
    file need more than the first ones.
    """
    settings = session.settings(**options)

    from reconcile.orders.inspection import inspect_orders
    from reconcile.orders.places.dated import telling_date
    from reconcile.orders.stated import check_stated
    from reconcile.settings.stages import business_date_of, check_only_files, check_orders_named

    on = business_date_of(settings)
    check_orders_named(settings)
    check_only_files(settings)
    paths: list[str | Path | Place | OrdersQuery] = [*settings.orders.files_of(on), *settings.orders.queries]
    if write_settings:
        settings = _with_proposed(settings, paths)
    with telling_date(settings.orders.files, on):
        look = inspect_orders(paths, settings.order_format, first_rows=rows, is_proposed=write_settings)
    if write_settings:
        _write(session, settings, look)
    if form == "json":
        show_json({**asdict(look), "report": look.report.as_dict()})
    else:
        show_lines("\n\n".join(_blocks(look)).split("\n"))
    if look.report.rejects > settings.orders.max_rejects:
        sys.exit(3)
    check_stated(look.report, settings.orders.stated)


def _with_proposed(settings: Settings, paths: OrderPaths) -> Settings:
    """Return settings with what would have to be declared of the files in `paths`, where there is no choice."""
    from reconcile.errors import SettingsError
    from reconcile.orders.proposals.proposal import hint_of, propose
    from reconcile.settings.written import with_declared

    proposals = propose(paths, settings.order_format)
    if len(proposals) > 1 or any(one.condition or one.notes for one in proposals):
        raise SettingsError(
            "nothing is written: the order files leave something for you to say",
            hint=hint_of(proposals, paths, settings.order_format),
        )
    return with_declared(settings, proposals[0].declared) if proposals else settings


def _write(session: Session, settings: Settings, look: OrdersLook) -> None:
    from reconcile.settings.settings import FILE_NAME
    from reconcile.settings.written import write_orders

    path = session.config or Path(FILE_NAME)
    if look.remedy:
        console.say(f"{path}: nothing is written, rows further down need more, as shown", quiet=session.quiet)
        return
    write_orders(settings, path)
    console.say(f"{path}: says how the order files are read", quiet=session.quiet)


def _blocks(look: OrdersLook) -> Iterator[str]:
    from reconcile.figures.odd_keys import odd_keys
    from reconcile.reports.display import PLAIN
    from reconcile.reports.text_table import fold, plain

    for file in look.report.files:
        yield "\n".join([plain(file.path), *(f"  {name:<9} {plain(value)}" for name, value in _facts(file))])
    if look.first_rows:
        yield _first_rows(look)
    yield _keys(look)
    if look.totals:
        yield _totals(look)
    if look.report.left_out:
        yield _left_out(look)
    for told_of in odd_keys(look.report.tidied):
        yield fold(plain(told_of.text), console.line_width())
    if look.rejects:
        told = [_reject(reject) for reject in look.rejects]
        more = look.report.rejects - len({(one["source_file"], one["source_line"]) for one in look.rejects})
        cannot = f"{PLAIN.plural(look.report.rejects, 'row')} cannot be read:"
        yield "\n".join([cannot, *map(plain, told), *([f"  and {PLAIN.plural(more, 'row')} more"] if more > 0 else [])])
    if look.remedy:
        yield "To read them:\n" + "\n".join(plain(line) for line in look.remedy.splitlines())


def _block(header: str, left: str, cells: Sequence[tuple[str, ...]]) -> str:
    from reconcile.reports.text_table import TextTable, render

    table = TextTable(tuple(header.split(",")), frozenset(left.split(",")), list(cells), [""] * len(cells))
    return render(table, console.line_width(), colour=False)


def _first_rows(look: OrdersLook) -> str:
    from reconcile.reports.terminal import grouped_amount
    from reconcile.reports.text_table import plain

    cells = [
        (
            str(row["source_line"]),
            plain(row["reference"] or ""),
            grouped_amount(row["amount_cents"], row["currency_code"]),
            row["currency_code"],
            plain(row["order_number"] or ""),
            plain(row["order_id"] or ""),
            str(row["ordered_on"] or ""),
            plain(row["amount_raw"]),
        )
        for row in look.first_rows
    ]
    texts = "Reference,Currency,Order number,Order id,Ordered on,Amount as read"
    return _block("Line,Reference,Amount,Currency,Order number,Order id,Ordered on,Amount as read", texts, cells)


def _keys(look: OrdersLook) -> str:
    from reconcile.reports.display import PLAIN
    from reconcile.reports.text_table import plain

    cells = [
        (
            one.key,
            PLAIN.count(one.rows),
            PLAIN.count(one.without),
            PLAIN.count(one.distinct),
            PLAIN.count(one.shared),
            plain(", ".join(one.examples)),
        )
        for one in look.keys
    ]
    return _block("Key,Rows,Blank,Distinct,Duplicates,Examples", "Key,Examples", cells)


def _totals(look: OrdersLook) -> str:
    from reconcile.reports.display import PLAIN
    from reconcile.reports.terminal import grouped_amount

    cells = [
        (one.currency_code or "", PLAIN.count(one.rows), grouped_amount(one.amount_cents, one.currency_code))
        for one in look.totals
    ]
    return _block("Currency,Rows,Amount", "Currency", cells)


def _left_out(look: OrdersLook) -> str:
    from reconcile.reports.terminal import left_out_table
    from reconcile.reports.text_table import render

    return render(left_out_table(look.report.left_out), console.line_width(), colour=False)


def _facts(file: OrderFile) -> Iterator[tuple[str, str]]:
    packed = f", packed as {file.compression}" if file.compression else ""
    yield "format", f"{file.format}{packed}, {file.bytes:,} bytes"
    if file.delimiter is not None:
        quote = f"quote {file.quote}" if file.quote else "no quotes"
        yield "dialect", f"delimiter {_SIGNS.get(file.delimiter, file.delimiter)}, {quote}"
    if file.sheet is not None:
        others = ", ".join(f'"{name}"' for name in file.other_sheets)
        yield "sheet", f'"{file.sheet}"' + (f", and not {others}" if others else "")
    if file.encoding is not None:
        yield "encoding", file.encoding
    if file.system is not None:
        settings = ", ".join(f'{name} = "{value}"' for name, value in file.taken.items())
        yield "system", file.system + (f", which always has {settings}" if settings else "")
    for role, name in file.columns.items():
        yield ("columns" if role == next(iter(file.columns)) else ""), f'{role:<13} "{name}"'
    if file.floats:
        yield "floats", ", ".join(f'"{name}"' for name in file.floats) + ", binary floats, read at 15 digits"
    if file.untold:
        yield "not told", f"{', '.join(file.untold)}: only text is a key, and an error (#N/A) is a blank"
    if file.unread:
        yield "unread", ", ".join(f'"{name}"' for name in file.unread)
    left_out = f", {file.left_out:,} left out" if file.left_out else ""
    yield "rows", f"{file.rows:,} read, {file.rejects:,} rejected{left_out}"


def _reject(reject: dict[str, str]) -> str:
    cell = f' {reject["column"]} "{reject["value"]}"' if reject["column"] else " the row"
    remedy = f"; {reject['remedy']}" if reject.get("remedy") else ""
    return f"  {reject['source_file']}:{reject['source_line']}:{cell} {reject['reason']}{remedy}"


@orders.command(cls=SectionedCommand, short_help="Export the totals of all placed Klarna orders to files.")
@click.option(
    "--to",
    "destination",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("exports"),
    show_default=True,
    help="Folder to write into.",
)
@click.option("--since", metavar="WHEN", help="Only orders placed at or after this date or time (UTC).")
@click.option("--until", metavar="WHEN", help="Only orders placed before this date or time (UTC).")
@click.option("--mirror", metavar="FOLDER", help="Where an interrupted export is kept, to resume from [.reconcile].")
@connection_options
@command
def export(session: Session, destination: Path, **options: Any) -> None:
    """
    Export the totals of all placed Klarna orders, prove the files complete, write them to a folder.

    The files are those of Commerce Layer, as they come; beside them orders.json says what they hold and why that is
    all. Cancelled and refunded orders are among them. Each file is a line on standard output, to be given to
    `reconcile run` or `match`; `reconcile run commerce-layer` does both at once.
    """
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile.figures.warnings import export_warnings
    from reconcile.operations import pull

    report = pull.export_orders(settings, secrets, destination)
    console.say(_exported(report), quiet=not session.talks)
    for warning in export_warnings(report.why_all):
        console.say(warning.line, quiet=session.log_json)
    for path in report.files:
        click.echo(path)


def _exported(report: ExportedOrders) -> str:
    files = "1 file" if len(report.files) == 1 else f"{len(report.files)} files"
    since = f"from {report.since} on and " if report.since else ""
    return (
        f"{report.orders:,} orders in {files}, placed {since}before {report.until}; "
        f"complete: the server counted {report.count_before:,} before and {report.count_after:,} after"
    )
