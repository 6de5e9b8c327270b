"""`reconcile demo`: the main job on the embedded sandbox and the sample data; offline, no credentials."""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, locale_option
from reconcile.cli.outcome import tell_run
from reconcile.cli.progress import PullDisplay

# The sample data ends on this day; ages and lags count from it.
BUSINESS_DATE = date(2026, 11, 20)


@click.command(short_help="Run the main job on sample data, offline.")
@click.option(
    "--out", default="runs/demo", show_default=True, metavar="FOLDER", help="Where the run folder is written."
)
@locale_option
@command
def demo(session: Session, out: str, locale: str | None) -> None:
    """
    Run the main job on sample data: no credentials, no network beyond this machine.

    Starts the sandbox, pulls its payments over HTTP, matches them with `sample_data/all_methods.csv`, an
    export of orders of all payment methods.
    """
    from reconcile.operations import night
    from reconcile.sandbox.server import SandboxServer
    from reconcile.sandbox.world.world import World
    from reconcile.settings.credentials import Secrets
    from reconcile.settings.settings import Settings

    sample = sample_folder()
    with tempfile.TemporaryDirectory() as mirror, SandboxServer(World.load(sample / "commerce_layer")) as sandbox:
        console.say(f"sandbox: {sandbox.api_url}", quiet=session.quiet)
        # Nothing of the user's own settings: a demo must not reach their warehouse.
        settings = Settings.of(
            organization="nordwand",
            api_url=sandbox.api_url,
            auth_url=sandbox.auth_url,
            orders=(str(sample / "all_methods.csv"),),
            tolerance_cents=2,
            lag_days=1,
            out=out,
            mirror=mirror,
            locale=locale,
        )
        secrets = Secrets(sandbox.client_id, sandbox.client_secret)
        with PullDisplay(session) as display:
            result = night.run(settings, secrets, business_date=BUSINESS_DATE, on_progress=display)
    code = tell_run(result, session, locale)
    console.say("what was planted in the sample data: sample_data/README.md", quiet=session.quiet)
    console.say(f"open {result.folder / 'report.html'} in a browser", quiet=session.quiet)
    sys.exit(code)


def sample_folder() -> Path:
    """Return the folder of the sample data: beside the package in a clone, inside it in a wheel."""
    package = Path(__file__).parents[1]
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"
