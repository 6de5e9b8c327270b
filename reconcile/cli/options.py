"""
What the commands share: options that become settings, and errors that become a message and an exit code.

Every option here has the name of a setting in `reconcile.toml`; an option that is not given says nothing.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.errors import ReconcileError
from reconcile.operations.stopping import end_on_sigterm

if TYPE_CHECKING:
    from reconcile.settings.credentials import Secrets
    from reconcile.settings.settings import Settings

INTERRUPTED = 130
Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Session:
    """What a command was asked for, beside its own arguments."""

    config: Path | None
    verbosity: int
    quiet: bool
    log_json: bool

    @property
    def talks(self) -> bool:
        """Whether there is talk for people: neither silence nor JSON lines were asked for."""
        return not self.quiet and not self.log_json

    def settings(self, **options: Any) -> Settings:
        """Return the settings of file, environment and `options`."""
        from reconcile.settings.sources import load_settings, unknown_variables

        for sentence in unknown_variables(os.environ):
            console.say(f"warning: {sentence}", quiet=self.quiet)
        more = options.pop("more_orders", ())
        if more:
            options["orders"] = (*options.get("orders", ()), *more)
        return load_settings(self.config, environ=os.environ, options=options)

    def secrets(self) -> Secrets:
        """Return the credentials of the environment."""
        from reconcile.settings.credentials import read_secrets

        return read_secrets(os.environ)


def command(function: Command) -> Command:
    """
    Give a command the common options, logging, and the exit codes of the error family.

    The command gets a Session as its first argument.
    """

    @functools.wraps(function)
    def run(config: Path | None, verbosity: int, quiet: bool, log_json: bool, **arguments: Any) -> None:
        from reconcile.cli.log_lines import logging_to
        from reconcile.settings.credentials import secret_texts
        from reconcile.settings.settings import check_texts

        end_on_sigterm()
        session = Session(config, verbosity, quiet, log_json)
        secrets = secret_texts(os.environ)
        try:
            with ExitStack() as stack:
                stack.enter_context(logging_to(verbosity=verbosity, as_json=log_json, secrets=secrets))
                check_texts(arguments)
                function(session, **arguments)
        except ReconcileError as error:
            console.complain(error)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            # Whoever read our output has gone, as in `| head`; there is nobody left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        except KeyboardInterrupt:
            console.complain(ReconcileError("interrupted", hint="the same command goes on from where it stopped"))
            sys.exit(INTERRUPTED)

    return _apply(run, _COMMON)


_COMMON = (
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Settings file. Default: reconcile.toml in the working directory, if there.",
    ),
    click.option("-v", "--verbose", "verbosity", count=True, help="Tell what happens; -vv tells of each request."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("--log-json", is_flag=True, help="Log as JSON lines on standard error."),
)


def _apply(function: Command, options: Iterable[Callable[[Any], Any]]) -> Command:
    for option in reversed(tuple(options)):
        function = option(function)
    return function


def _group(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    return lambda function: _apply(function, options)


connection_options = _group(
    click.option("--organization", metavar="SLUG", help="Organization; makes the API host."),
    click.option("--api-url", metavar="URL", help="The API's address, in place of --organization."),
    click.option("--auth-url", metavar="URL", help="Base of /oauth/token."),
    click.option("--mode", type=click.Choice(["live", "test"]), help="The mode every payment must have."),
    click.option("--rate-share", type=float, metavar="SHARE", help="Share of the rate limit to spend, up to 1."),
    click.option("--allowance", metavar="FILE", help="Share the rate limit with all processes that name this file."),
)

pull_options = _group(
    click.option(
        "--via",
        type=click.Choice(["pages", "exports", "auto"]),
        help="How payments are read; auto: by exports where they are many [pages].",
    ),
    click.option("--since", metavar="WHEN", help="Only payments created at or after this date or time (UTC)."),
    click.option("--until", metavar="WHEN", help="Only payments created before this date or time (UTC)."),
    click.option("--mirror", metavar="FOLDER", help="Local copy, from which a broken pull goes on [.reconcile]."),
    click.option(
        "--incremental/--full",
        default=None,
        help="Read only what changed since the last finished pull in the mirror, or everything [--full].",
    ),
)

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Tell what a pull would cost, after one count; write nothing."
)

orders_options = _group(
    click.option(
        "--orders", "more_orders", multiple=True, metavar="ORDERS", help="The same as an argument; repeatable."
    ),
    click.option("--orders-sql", metavar="QUERY", help="Query for order totals, or @FILE with one; say ORDER BY."),
    click.option(
        "--orders-db", metavar="URL", help="Its database: postgresql://HOST/NAME, duckdb:FILE or sqlite:FILE."
    ),
    click.option("--reference-column", metavar="NAME", help="Column of the reference."),
    click.option("--amount-column", metavar="NAME", help="Column of the order total."),
    click.option("--currency-column", metavar="NAME", help="Column of the currency."),
    click.option("--order-number-column", metavar="NAME", help="Column of the order number."),
    click.option("--order-id-column", metavar="NAME", help="Column of the Commerce Layer order id."),
    click.option("--ordered-on-column", metavar="NAME", help="Column of the order date."),
    click.option("--sign-column", metavar="NAME", help="Column of debit and credit; credits become negative."),
    click.option("--currency", metavar="CODE", help="Currency of all rows, where there is no such column."),
    click.option("--decimal", metavar="SIGN", help='Decimal sign, "." or ",".'),
    click.option("--thousands", metavar="SIGN", help="Thousands separator; without it there is none."),
    click.option(
        "--amount-unit",
        type=click.Choice(["minor", "major"]),
        help="Unit of amounts: whole cents, or decimals [minor in columns named ...cents].",
    ),
    click.option(
        "--accounting",
        multiple=True,
        type=click.Choice(["parentheses", "trailing_minus", "cr_dr", "soll_haben", "currency"]),
        help='A form that amounts may have: "(12.00)", "12.00-", "12.00 CR", "12,00 H", "12.00 EUR".',
    ),
    click.option("--date-format", metavar="FORMAT", help='How dates are written, such as "%d.%m.%Y" [ISO 8601].'),
    click.option(
        "--continuation-rows",
        type=click.Choice(["empty", "repeated"]),
        help="Leave out further rows of an order, where its total is empty or repeated in them.",
    ),
    click.option("--delimiter", metavar="SIGN", help="Column separator of text files; else detected."),
    click.option("--quote", metavar="SIGN", help="Quote of text files; else detected."),
    click.option("--encoding", metavar="NAME", help="Encoding of text files; else UTF-8, or by byte order mark."),
    click.option("--sheet", metavar="NAME", help="Sheet of a spreadsheet; else the first one that has the columns."),
    click.option("--download-limit", metavar="SIZE", help="Size up to which a file is fetched [4GB]."),
    click.option("--max-rejects", type=click.IntRange(min=0), metavar="N", help="Unreadable rows to put up with [0]."),
)

match_options = _group(
    click.option(
        "--amount-basis",
        type=click.Choice(["total_amount_with_taxes_cents", "total_amount_cents", "place_total_amount_cents"]),
        help="Which total of the linked order is the payment's amount.",
    ),
    click.option("--tolerance-cents", type=click.IntRange(min=0), metavar="N", help="Largest difference that is ok."),
    click.option("--tolerance-percent", metavar="P", help="The same in percent of the order total."),
    click.option(
        "--lag-days",
        "--lag",
        "lag_days",
        type=click.IntRange(min=0),
        metavar="N",
        help="Days a row may wait for the other side.",
    ),
    click.option("--group-orders", type=click.Choice(["sum"]), help="Add up order rows of one key first."),
)

locale_option = click.option(
    "--locale",
    metavar="TAG",
    help='Numbers and dates for people as in this locale, such as "de-DE"; "none" for ISO. Files of data and '
    "workbooks stay as they are: a spreadsheet localizes by itself.",
)

output_options = _group(
    click.option("--out", metavar="FOLDER", help="Where run folders are written [runs]."),
    click.option("--date", "business_date", metavar="DATE", help="Business date [today, UTC]."),
    click.option("--fail-on", multiple=True, metavar="LIMIT", help='Exit 1 above this limit, such as "breaks>0".'),
    click.option("--warn-on", multiple=True, metavar="LIMIT", help="Warn above this limit."),
    click.option("--memory-limit", metavar="SIZE", help="Memory the matching may use [2GB]."),
    click.option(
        "--engine", type=click.Choice(["duckdb", "spark"]), help="What matches, here or on a cluster [duckdb]."
    ),
    click.option("--spark-master", metavar="URL", help="Where Spark runs; its workers must see --out [local[*]]."),
    click.option("--html/--no-html", "html", default=None, help="Write report.html, the page [--html]."),
    click.option("--xlsx/--no-xlsx", "xlsx", default=None, help="Write report.xlsx, the workbook [--xlsx]."),
    locale_option,
)

run_options = _group(
    click.option("--run", type=click.Path(path_type=Path), metavar="FOLDER", help="Run folder [the latest of --out]."),
    click.option("--out", metavar="FOLDER", help="Folder of the run folders [runs]."),
)

decision_options = _group(
    click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever reads the reports."),
    click.option("--by", metavar="NAME", help="Who decides."),
)


def parse_business_date(text: str | None) -> date:
    """Return the business date in `text`, or today in UTC."""
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f'"{text}" is not a date; write it as 2026-11-22', param_hint="--date") from None
