"""`reconcile init`: a commented settings file to start from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command


@click.command(short_help="Write a commented settings file.")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), default="reconcile.toml")
@click.option("--schema", "is_schema", is_flag=True, help="Print the JSON Schema of the file instead, for editors.")
@command
def init(session: Session, path: Path, *, is_schema: bool) -> None:
    """
    Write a commented settings file to PATH [reconcile.toml].

    With --schema nothing is written: an editor that knows JSON Schema completes and checks the file by what is printed.
    """
    from reconcile.errors import OutputError, SettingsError
    from reconcile.settings.template import commented_toml, json_schema

    if is_schema:
        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(commented_toml())
    except FileExistsError:
        raise SettingsError(f"{path}: already exists", hint="name another file, or remove it first") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    console.say("every setting is in it, commented out with its default", quiet=session.quiet)
    click.echo(path)
