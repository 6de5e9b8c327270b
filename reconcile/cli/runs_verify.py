"""`reconcile runs verify`: are the run folders what was published?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from reconcile.cli.options import Session, command


@click.command()
@click.argument("folders", nargs=-1, metavar="[RUN...]", type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", help="Folder of the run folders [runs].")
@command
def verify(session: Session, folders: tuple[Path, ...], **options: Any) -> None:
    """
    Compare every file of the runs with its digest, and each run with the one before it.

    RUN are run folders; without any, all runs in the folder of --out. Exits with 1 when one is not what was published.
    """
    settings = session.settings(**options)

    from reconcile import runs

    found = [runs.verify_run(folder) for folder in folders] if folders else runs.verify_runs(Path(settings.out))
    for one in found:
        if one.problems or not session.quiet:
            verdict = "CHANGED" if one.problems else "ok"
            click.echo(f"{verdict:<8}{one.folder}  {one.run_id}, {one.files} files")
        for sentence in one.problems:
            click.echo(f"{'':<8}{sentence}")
        for sentence in () if session.quiet else one.notes:
            click.echo(f"{'':<8}note: {sentence}")
    sys.exit(1 if any(one.problems for one in found) else 0)
