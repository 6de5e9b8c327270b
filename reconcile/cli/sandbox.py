"""`reconcile sandbox`: serve the stand-in for the API until it is stopped."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command

if TYPE_CHECKING:
    from reconcile.sandbox.server import SandboxServer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--payments", default=400, show_default=True, type=click.IntRange(1), help="Payments to generate.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve klarna_payments.json and orders.json of this folder instead, and markets.json, authorizations.json, "
    "captures.json, voids.json and refunds.json, where they are there.",
)
@click.option(
    "--storage-port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the storage that the files of exports come from; 0 takes a free one.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the generated world and of the faults.")
@click.option(
    "--mode", default="live", show_default=True, type=click.Choice(["live", "test"]), help="Mode of all rows."
)
@click.option(
    "--time-scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Make rate-limit windows and exports this many times shorter.",
)
@click.option("--no-rate-limit", is_flag=True, help="No rate limit, and none of its headers.")
@click.option("--retry-after", is_flag=True, help="Send Retry-After with a 429; the API does not promise it.")
@click.option(
    "--export-maximum",
    default=5_000,
    show_default=True,
    type=click.IntRange(1),
    metavar="RECORDS",
    help="Most records an export may have.",
)
@click.option("--no-payment-exports", is_flag=True, help="Refuse exports of klarna_payments, as older deployments do.")
@click.option("--no-export-includes", is_flag=True, help="Refuse related resources in exports.")
@click.option("--export-source-types", is_flag=True, help="Say in exports of which type a payment source is.")
@click.option("--no-method-filter", is_flag=True, help="Refuse filters of orders by their payment method.")
@click.option(
    "--refuse-include",
    "refused_includes",
    multiple=True,
    metavar="PATH",
    help="Refuse to include this path and what is below it, such as order.captures; `order.*` refuses all that is "
    "below. Can be given several times.",
)
@click.option(
    "--refusal-names",
    default="path",
    show_default=True,
    type=click.Choice(["path", "relationship", "nothing"]),
    help="What the refusal of an include names: the whole path, the relationship where it goes wrong, or nothing.",
)
@click.option(
    "--no-event-stores", is_flag=True, help="Serve `versions` in place of `event_stores`, as before August 2025."
)
@click.option(
    "--token-lifetime",
    default=7200,
    show_default=True,
    type=click.IntRange(1),
    metavar="SECONDS",
    help="Lifetime of a token, as it states itself.",
)
@click.option(
    "--client-id",
    envvar="RECONCILE_CLIENT_ID",
    metavar="ID",
    help="Client id to accept [RECONCILE_CLIENT_ID, else one of its own].",
)
@click.option(
    "--client-secret",
    envvar="RECONCILE_CLIENT_SECRET",
    metavar="SECRET",
    help="Client secret to accept [RECONCILE_CLIENT_SECRET, else one of its own].",
)
@click.option("--canary", metavar="TEXT", help="Put this text into every credential that is sent.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="SPEC",
    help="KIND[:WHEN][:VALUE], such as 5xx:0.05, reset:#7, latency:20-75 or delete:#3. Can be given several times; "
    "`--fault help` lists the kinds.",
)
@command
def sandbox(
    session: Session,
    host: str,
    port: int,
    storage_port: int,
    payments: int,
    data: Path | None,
    seed: int,
    mode: str,
    time_scale: float,
    no_rate_limit: bool,
    retry_after: bool,
    export_maximum: int,
    no_payment_exports: bool,
    no_export_includes: bool,
    export_source_types: bool,
    no_method_filter: bool,
    refused_includes: tuple[str, ...],
    refusal_names: str,
    no_event_stores: bool,
    token_lifetime: int,
    client_id: str | None,
    client_secret: str | None,
    canary: str | None,
    faults: tuple[str, ...],
) -> None:
    """
    Serve a stand-in for the Commerce Layer API.

    Strict, with the documented rate limits, and with faults on demand. Prints the API's address, alone on its line,
    once it answers; how to point reconcile at it goes to standard error. Ctrl-C stops it.
    """
    from reconcile.errors import SettingsError
    from reconcile.sandbox.api.behaviour import Behaviour
    from reconcile.sandbox.api.faults import KINDS, Faults
    from reconcile.sandbox.api.includes import IncludeRules
    from reconcile.sandbox.api.limits import Limits
    from reconcile.sandbox.api.tokens import CLIENT_ID, CLIENT_SECRET
    from reconcile.sandbox.exports.exports import ExportRules
    from reconcile.sandbox.server import SandboxServer
    from reconcile.sandbox.world.world import World

    if "help" in faults:
        click.echo("\n".join(f"{kind:18} {text}" for kind, text in KINDS.items()))
        return
    parsed = Faults.parse(faults, seed=seed)
    world = World.load(data, seed=seed, mode=mode) if data else World.generate(payments, seed=seed, mode=mode)
    types = tuple(name for name in ExportRules().types if name != "klarna_payments" or not no_payment_exports)
    server = SandboxServer(
        world,
        Behaviour(
            faults=parsed,
            limits=None if no_rate_limit else Limits(time_scale=time_scale, retry_after=retry_after),
            token_lifetime_seconds=token_lifetime,
            client_id=client_id or CLIENT_ID,
            client_secret=client_secret or CLIENT_SECRET,
            canary=canary,
            exports=ExportRules(
                maximum=export_maximum,
                types=types,
                includes=not no_export_includes,
                source_types=export_source_types,
                time_scale=time_scale,
            ),
            event_stores=not no_event_stores,
            uncrossed=("payment_method",) if no_method_filter else (),
            includes=IncludeRules(refused=refused_includes, naming=refusal_names),
        ),
        host=host,
        port=port,
        storage_port=storage_port,
        keep_requests=False,
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(server)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            where = f"{host}:{port} and {host}:{storage_port}" if storage_port else f"{host}:{port}"
            hint = "choose another --port or --storage-port, or 0 for a free one"
            raise SettingsError(f"cannot listen on {where}: {why}", hint=hint) from error
        click.echo(server.api_url)
        given = bool(client_id or client_secret)  # a secret of somebody's own is not shown
        console.say(_instructions(server, None if given else server.client_secret), quiet=session.quiet)
        _wait_for_the_end()


def _instructions(server: SandboxServer, client_secret: str | None) -> str:
    lines = ["Serving a stand-in for the API; nothing here is real. In another shell:"]
    if client_secret is None:
        lines.append("  (with the client id and secret that were given to it)")
    else:
        lines.append(f"  export RECONCILE_CLIENT_ID={server.client_id}")
        lines.append(f"  export RECONCILE_CLIENT_SECRET={client_secret}")
    lines += [f"  reconcile check --api-url {server.api_url} --auth-url {server.auth_url}", "Press Ctrl-C to stop."]
    return "\n".join(lines)


def _wait_for_the_end() -> None:
    """Return on SIGTERM, and on SIGINT where it was not ignored at the start."""
    import signal
    import threading

    told = threading.Event()
    heeded = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: told.set()) for number in heeded}
    try:
        told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
