"""`reconcile init`: a commented settings file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command


@click.command(short_help="Write a commented settings file.")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), default="reconcile.toml")
@command
def init(session: Session, path: Path) -> None:
    """Write a commented settings file to PATH [reconcile.toml]."""
    from reconcile.errors import OutputError, SettingsError
    from reconcile.settings.template import commented_toml

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(commented_toml())
    except FileExistsError:
        raise SettingsError(f"{path}: is there already", hint="name another file, or remove it first") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    console.say("every setting is in it, commented out with its default", quiet=session.quiet)
    click.echo(path)
