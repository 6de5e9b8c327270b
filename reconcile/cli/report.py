"""`reconcile report`: a published run as a file for people, rendered again."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, locale_option, setting_option


@click.command(short_help="Render the report of a run again.")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@setting_option("out")
@click.option("--format", "form", type=click.Choice(["html", "xlsx"]), default="html", show_default=True)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="[./report-DATE.FORMAT]")
@locale_option
@setting_option("max_rows")
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser, or in the program for such files.")
@command
def report(
    session: Session,
    run: Path | None,
    out: str | None,
    form: str,
    to: Path | None,
    locale: str | None,
    max_rows: int | None,
    is_opened: bool,
) -> None:
    """
    Render the report of RUN, a run folder, again: the same bytes as the run wrote. Default: the latest of --out.

    Numbers and dates look as the run's settings say, unless --locale is given; a workbook has as many rows, unless
    --max-rows is given. The folder itself is not changed.
    """
    settings = session.settings(out=out)

    from reconcile.errors import OutputError, SettingsError
    from reconcile.history import breaks
    from reconcile.reports.page.html import write_html
    from reconcile.reports.workbook.xlsx import write_xlsx
    from reconcile.runs.folder import read_manifest
    from reconcile.settings.stages import settings_of

    if max_rows is not None and form == "html":
        raise SettingsError(
            "--max-rows: does not apply to a page", hint="leave it out, or write the workbook with --format xlsx"
        )
    if locale is not None and form == "xlsx":
        raise SettingsError(
            "--locale: does not apply to a workbook, whose cells are numbers and dates",
            hint="leave it out; the spreadsheet program formats them by its own settings",
        )
    folder = run or breaks.latest_run(settings.out)
    manifest = read_manifest(folder)
    place = to or Path(f"report-{manifest.business_date}.{form}")
    if place.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{place}: is in a published run, which is never changed", hint="name another file with --to")
    if form == "html":
        write_html(folder, place, locale=locale)
    else:
        write_xlsx(folder, place, max_rows=max_rows or settings_of(manifest, folder).reports.max_rows)
    click.echo(place)
    if is_opened:
        _open(place)


def _open(place: Path) -> None:
    import webbrowser

    if not webbrowser.open(place.absolute().as_uri()):
        console.say(f"no browser found; open {place} in one")
