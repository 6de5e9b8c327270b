"""`reconcile runs verify`: are the run folders what was published?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.listing import show_json, show_lines, text_format_option
from reconcile.cli.options import Session, command

if TYPE_CHECKING:
    from reconcile.runs import Verification


@click.command()
@click.argument("folders", nargs=-1, metavar="[RUN...]", type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", help="Folder of the run folders [runs].")
@click.option("--replay", "is_replayed", is_flag=True, help="Match each run again from its own inputs, and compare.")
@text_format_option
@command
def verify(session: Session, folders: tuple[Path, ...], form: str, *, is_replayed: bool, **options: Any) -> None:
    """
    Compare every file of the runs with its digest, and each run with the one before it.

    RUN are run folders; without any, all runs in the folder of --out. With --replay each is matched again from the
    payments and order rows in it, by the settings in its manifest, and must give the same items, byte for byte.
    Exits with 1 when one is not what was published.
    """
    settings = session.settings(**options)

    from reconcile import runs

    found = [runs.verify_run(folder) for folder in folders] if folders else runs.verify_runs(Path(settings.out))
    if is_replayed:
        found = _replayed(found)
    if form == "json":
        show_json([{"verdict": _verdict(one), **asdict(one)} for one in found])
    else:
        show_lines(_lines(found, quiet=session.quiet))
    sys.exit(1 if any(one.problems for one in found) else 0)


def _replayed(found: Sequence[Verification]) -> list[Verification]:
    from reconcile.replay import replay

    # A run whose files were changed is told already: what they give is of no interest.
    again = {one.folder: one for one in replay(Path(one.folder) for one in found if not one.problems)}
    return [
        one
        if one.folder not in again
        else replace(
            one,
            problems=tuple(filter(None, [again[one.folder].problem])),
            notes=(*one.notes, *filter(None, [again[one.folder].note])),
            replayed=True,
        )
        for one in found
    ]


def _lines(found: Sequence[Verification], *, quiet: bool) -> Iterator[str]:
    for one in found:
        if one.problems or not quiet:
            yield f"{_verdict(one).replace('changed', 'CHANGED'):<8}{one.folder}  {one.run_id}, {_done(one)}"
        yield from (f"{'':<8}{sentence}" for sentence in one.problems)
        yield from (f"{'':<8}note: {sentence}" for sentence in one.notes if not quiet)


def _done(one: Verification) -> str:
    return f"{one.files} files{', matched again' if one.replayed else ''}"


def _verdict(one: Verification) -> str:
    return "changed" if one.problems else "ok"
