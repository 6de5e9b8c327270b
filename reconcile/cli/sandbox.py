"""`reconcile sandbox`: serve the stand-in for the API until it is stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.options import Command, Session, command

if TYPE_CHECKING:
    from reconcile.sandbox.api.behaviour import Behaviour
    from reconcile.sandbox.exports.exports import ExportRules
    from reconcile.sandbox.server import SandboxServer
    from reconcile.sandbox.world.world import World


_PORT = click.IntRange(0, 65535)


def _option(*words: str, **attributes: Any) -> Mapping[str, Any]:
    """Return how a field of Stand is an option: its `words` where they are not its name, what click takes besides."""
    return {"words": words, "attributes": attributes}


@dataclass(frozen=True, slots=True)
class Stand:
    """What `reconcile sandbox` serves, and where: its options, each declared by the field that holds it."""

    host: str = field(default="127.0.0.1", metadata=_option(help="Address to listen on."))
    port: int = field(default=0, metadata=_option(type=_PORT, help="Port; 0 takes a free one."))
    payments: int = field(default=400, metadata=_option(type=click.IntRange(1), help="Payments to generate."))
    data: Path | None = field(
        default=None,
        metadata=_option(
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Serve klarna_payments.json and orders.json of this folder instead, and markets.json, "
            "authorizations.json, captures.json, voids.json and refunds.json, where they are there.",
        ),
    )
    storage_port: int = field(
        default=0,
        metadata=_option(
            type=_PORT, help="Port of the storage that the files of exports come from; 0 takes a free one."
        ),
    )
    seed: int = field(default=1, metadata=_option(help="Seed of the generated world and of the faults."))
    mode: str = field(default="live", metadata=_option(type=click.Choice(["live", "test"]), help="Mode of all rows."))
    time_scale: float = field(
        default=1.0,
        metadata=_option(
            type=click.FloatRange(0, min_open=True), help="Make rate-limit windows and exports this many times shorter."
        ),
    )
    no_rate_limit: bool = field(default=False, metadata=_option(help="No rate limit, and none of its headers."))
    retry_after: bool = field(
        default=False, metadata=_option(help="Send Retry-After with a 429; the API does not promise it.")
    )
    export_maximum: int = field(
        default=5_000,
        metadata=_option(type=click.IntRange(1), metavar="RECORDS", help="Most records an export may have."),
    )
    no_payment_exports: bool = field(
        default=False, metadata=_option(help="Refuse exports of klarna_payments, as older deployments do.")
    )
    no_export_includes: bool = field(default=False, metadata=_option(help="Refuse related resources in exports."))
    export_source_types: bool = field(
        default=False, metadata=_option(help="Say in exports of which type a payment source is.")
    )
    no_method_filter: bool = field(
        default=False, metadata=_option(help="Refuse filters of orders by their payment method.")
    )
    refused_includes: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "--refuse-include",
            metavar="PATH",
            help="Refuse to include this path and what is below it, such as order.captures; `order.*` refuses all "
            "that is below. Can be given several times.",
        ),
    )
    refusal_names: str = field(
        default="path",
        metadata=_option(
            type=click.Choice(["path", "relationship", "nothing"]),
            help="What the refusal of an include names: the whole path, the relationship where it goes wrong, or "
            "nothing.",
        ),
    )
    no_event_stores: bool = field(
        default=False, metadata=_option(help="Serve `versions` in place of `event_stores`, as before August 2025.")
    )
    token_lifetime: int = field(
        default=7200,
        metadata=_option(type=click.IntRange(1), metavar="SECONDS", help="Lifetime of a token, as it states itself."),
    )
    client_id: str | None = field(
        default=None,
        metadata=_option(
            envvar="RECONCILE_CLIENT_ID",
            metavar="ID",
            help="Client id to accept [RECONCILE_CLIENT_ID, else one of its own].",
        ),
    )
    client_secret: str | None = field(
        default=None,
        metadata=_option(
            envvar="RECONCILE_CLIENT_SECRET",
            metavar="SECRET",
            help="Client secret to accept [RECONCILE_CLIENT_SECRET, else one of its own].",
        ),
    )
    canary: str | None = field(
        default=None, metadata=_option(metavar="TEXT", help="Put this text into every credential that is sent.")
    )
    faults: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "--fault",
            metavar="SPEC",
            help="KIND[:WHEN][:VALUE], such as 5xx:0.05, reset:#7, latency:20-75 or delete:#3. Can be given several "
            "times; `--fault help` lists the kinds.",
        ),
    )

    @contextmanager
    def listening(self) -> Iterator[SandboxServer]:
        """Give the server while it listens. Raises SettingsError for a fault that is none, or where a port is taken."""
        from reconcile.errors import SettingsError

        server = self._server()
        with ExitStack() as stack:
            try:
                stack.enter_context(server)
            except OSError as error:
                why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
                places = [self.port, *([self.storage_port] if self.storage_port else [])]
                where = " and ".join(f"{self.host}:{port}" for port in places)
                hint = "choose another --port or --storage-port, or 0 for a free one"
                raise SettingsError(f"cannot listen on {where}: {why}", hint=hint) from error
            yield server

    def _server(self) -> SandboxServer:
        from reconcile.sandbox.server import SandboxServer

        behaviour, world = self._behaviour(), self._world()
        return SandboxServer(
            world, behaviour, host=self.host, port=self.port, storage_port=self.storage_port, keep_requests=False
        )

    def _world(self) -> World:
        from reconcile.sandbox.world.world import World

        if self.data is not None:
            return World.load(self.data, seed=self.seed, mode=self.mode)
        return World.generate(self.payments, seed=self.seed, mode=self.mode)

    def _behaviour(self) -> Behaviour:
        from reconcile.sandbox.api.behaviour import Behaviour
        from reconcile.sandbox.api.faults import Faults
        from reconcile.sandbox.api.includes import IncludeRules
        from reconcile.sandbox.api.limits import Limits
        from reconcile.sandbox.api.tokens import CLIENT_ID, CLIENT_SECRET

        limits = Limits(time_scale=self.time_scale, retry_after=self.retry_after)
        return Behaviour(
            faults=Faults.parse(self.faults, seed=self.seed),
            limits=None if self.no_rate_limit else limits,
            token_lifetime_seconds=self.token_lifetime,
            client_id=self.client_id or CLIENT_ID,
            client_secret=self.client_secret or CLIENT_SECRET,
            canary=self.canary,
            exports=self._export_rules(),
            event_stores=not self.no_event_stores,
            uncrossed=("payment_method",) if self.no_method_filter else (),
            includes=IncludeRules(refused=self.refused_includes, naming=self.refusal_names),
        )

    def _export_rules(self) -> ExportRules:
        from reconcile.sandbox.exports.exports import ExportRules

        types = ExportRules().types
        return ExportRules(
            maximum=self.export_maximum,
            types=tuple(name for name in types if name != "klarna_payments" or not self.no_payment_exports),
            includes=not self.no_export_includes,
            source_types=self.export_source_types,
            time_scale=self.time_scale,
        )


def _options(function: Command) -> Command:
    """Give a command the options that the fields of Stand are."""
    for one in reversed(fields(Stand)):
        words = one.metadata["words"] or (f"--{one.name.replace('_', '-')}",)
        is_list, is_flag = one.default == (), one.default is False
        shown = not is_list and not is_flag and one.default is not None
        function = click.option(
            *words,
            one.name,
            default=one.default,
            multiple=is_list,
            is_flag=is_flag,
            show_default=shown,
            **one.metadata["attributes"],
        )(function)
    return function


@click.command()
@_options
@command
def sandbox(session: Session, **options: Any) -> None:
    """
    Serve a stand-in for the Commerce Layer API.

    Strict, with the documented rate limits, and with faults on demand. Prints the API's address, alone on its line,
    once it answers; how to point reconcile at it goes to standard error. Ctrl-C stops it.
    """
    stand = Stand(**options)
    if "help" in stand.faults:
        from reconcile.sandbox.api.faults import KINDS

        click.echo("\n".join(f"{kind:18} {text}" for kind, text in KINDS.items()))
        return
    with stand.listening() as server:
        click.echo(server.api_url)
        given = bool(stand.client_id or stand.client_secret)  # a secret of somebody's own is not shown
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
