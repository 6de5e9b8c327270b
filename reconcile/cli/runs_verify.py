"""`reconcile runs verify`: are the run folders what was published?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.listing import show_json, show_lines, text_format_option
from reconcile.cli.options import Session, command

if TYPE_CHECKING:
    from reconcile.runs.verify import Verification


@click.command("verify")
@click.argument("folders", nargs=-1, metavar="[RUN...]", type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", help="Folder of the run folders [runs].")
@click.option("--replay", "is_replayed", is_flag=True, help="Match each run again from its own inputs, and compare.")
@text_format_option
@command
def verify_(session: Session, folders: tuple[Path, ...], form: str, *, is_replayed: bool, **options: Any) -> None:
    """
    Compare every file of the runs with its digest, and each run with the one before it.

    RUN are run folders; without any, all runs in the folder of --out. A run that is named here, and the last one, is
    also added up again from its own files. With --replay each is matched again from the payments and order rows in it,
    by the settings in its manifest, and must give the same files, byte for byte.
    Exits with 1 when one is not what was published.
    """
    settings = session.settings(**options)

    from reconcile.operations.verify import verify

    found = verify(Path(settings.out), folders, is_replayed=is_replayed)
    if form == "json":
        show_json([{"verdict": _verdict(one), **asdict(one)} for one in found])
    else:
        show_lines(_lines(found, quiet=session.quiet))
    sys.exit(1 if any(one.problems for one in found) else 0)


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
