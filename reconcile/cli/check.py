"""`reconcile check`: everything that can stop a night, found out in a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.listing import show_json, show_lines, text_format_option
from reconcile.cli.options import SectionedCommand, Session, command, night_options

if TYPE_CHECKING:
    from reconcile.operations.check import Finding


@click.command(cls=SectionedCommand, short_help="Check settings, credentials, clock, order totals and disk.")
@click.argument("orders", nargs=-1, metavar="[ORDERS...]")
@night_options
@click.option("--offline", is_flag=True, help="Skip what needs Commerce Layer.")
@text_format_option
@command
def check(session: Session, offline: bool, form: str, **options: Any) -> None:
    """
    Check settings, credentials, scope, mode, clock, quota, order files, folder and disk; change nothing.

    Takes what `reconcile run` takes, sends one token request and one count, two more where order totals are to be
    exported, and exits with the code that a run would stop with.
    """
    from reconcile.operations import check
    from reconcile.settings.stages import business_date_of

    settings = session.settings(**options)
    on = business_date_of(settings)
    secrets = None if offline else session.secrets()
    findings = check.check(settings, secrets, business_date=on)
    if form == "json":
        show_json([asdict(finding) for finding in findings])
    else:
        show_lines(_lines([one for one in findings if one.verdict != "ok" or not session.quiet]))
    sys.exit(next((finding.exit_code for finding in findings if finding.exit_code), 0))


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        first, *more = finding.message.split("\n")
        yield f"{finding.verdict:<5} {finding.subject:<12} {first}"
        yield from (f"{'':<18} {line}" for line in more)
        if finding.hint:
            yield f"{'':<18} hint: {finding.hint}"
