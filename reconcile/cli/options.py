"""
What the commands share: options that become settings, and errors that become a message and an exit code.

Every option here has the name of a setting in `reconcile.toml`; an option that is not given says nothing.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.errors import ReconcileError
from reconcile.operations.stopping import end_on_sigterm
from reconcile.settings.declared import Setting, declared
from reconcile.settings.settings import Settings
from reconcile.settings.writable import check_writable

if TYPE_CHECKING:
    from reconcile.settings.credentials import Secrets

INTERRUPTED = 130
Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Session:
    """What a command was asked for, beside its own arguments."""

    config: Path | None
    verbosity: int
    quiet: bool
    log_json: bool

    @property
    def talks(self) -> bool:
        """Whether there is talk for people: neither silence nor JSON lines were requested."""
        return not self.quiet and not self.log_json

    def settings(self, **options: Any) -> Settings:
        """Return the settings of file, environment and `options`."""
        from reconcile.settings.sources import load_settings, unknown_variables

        for sentence in unknown_variables(os.environ):
            console.say(f"warning: {sentence}", quiet=self.quiet)
        more = options.pop("more_orders", ())
        if more:
            options["orders"] = (*options.get("orders", ()), *more)
        return load_settings(self.config, environ=os.environ, options=options)

    def secrets(self) -> Secrets:
        """Return the credentials of the environment."""
        from reconcile.settings.credentials import read_secrets

        return read_secrets(os.environ)


def command(function: Command) -> Command:
    """
    Give a command the common options, logging, and the exit codes of the error family.

    The command gets a Session as its first argument.
    """

    @functools.wraps(function)
    def run(config: Path | None, verbosity: int, quiet: bool, log_json: bool, **arguments: Any) -> None:
        from reconcile.cli.log_lines import logging_to
        from reconcile.settings.credentials import secret_texts

        end_on_sigterm()
        session = Session(config, verbosity, quiet, log_json)
        secrets = secret_texts(os.environ)
        try:
            with ExitStack() as stack:
                stack.enter_context(logging_to(verbosity=verbosity, as_json=log_json, secrets=secrets))
                check_writable(arguments)
                function(session, **arguments)
        except ReconcileError as error:
            console.complain(error)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            # Whoever read our output has gone, as in `| head`; there is nobody left to inform.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        except KeyboardInterrupt:
            console.complain(ReconcileError("interrupted", hint="run the same command to resume"))
            sys.exit(INTERRUPTED)

    return _apply(run, _COMMON)


_COMMON = (
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Settings file. Default: reconcile.toml in the working directory, if it exists.",
    ),
    click.option(
        "-v",
        "--verbose",
        "verbosity",
        count=True,
        help="Report progress, and all figures of a run; -vv logs each request, too.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    click.option("--log-json", is_flag=True, help="Log as JSON lines on standard error."),
)


def _apply(function: Command, options: Iterable[Callable[[Any], Any]]) -> Command:
    for option in reversed(tuple(options)):
        function = option(function)
    return function


def _group(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    return lambda function: _apply(function, options)


class SectionedCommand(click.Command):
    """A command whose help lists the options of settings by the part of the settings they belong to."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options section by section, those without one first."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class SettingOption(click.Option):
    """The option of a setting, made from its declaration; one that is not given is None."""

    def __init__(self, words: list[str], *, section: str, **attributes: Any) -> None:
        super().__init__(words, **attributes)
        self.section = section


_SECTIONS = {
    "commercelayer": "Connection",
    "pull": "Pull",
    "orders": "Order totals",
    "population": "Population",
    "match": "Matching",
    "run": "Run",
    "reports": "Reports",
}


_OF_FILES = ("method_column", "expect_rows", "expect_total")
"""Settings of `[population]` that say how order files are read, and what is in them."""


def setting_option(name: str) -> Callable[[Any], Any]:
    """Return the option of the setting `name`."""
    return _option_of({setting.name: setting for setting in declared(Settings)}[name])


def _option_of(setting: Setting) -> Callable[[Any], Any]:
    words = [setting.option, *([setting.said("option")] if setting.said("option") else []), setting.name]
    attributes: dict[str, Any] = {"metavar": setting.said("metavar"), "multiple": setting.is_list or setting.is_table}
    if setting.plain_type is bool:
        words[0] = f"{setting.option}/{_off(setting)}"
        attributes = {"default": None}
    elif setting.choices:
        attributes["type"] = click.Choice(setting.choices)
    elif setting.plain_type is int:
        attributes["type"] = click.IntRange(min=0 if setting.bounds.ge == 0 else None)
    elif setting.plain_type is float:
        attributes["type"] = float
    section = _SECTIONS[setting.table.partition(".")[0]]
    return click.option(*words, cls=SettingOption, section=section, help=_help_of(setting), **attributes)


def _off(setting: Setting) -> str:
    """Return the option that says no."""
    return str(setting.said("off", f"--no-{setting.option.removeprefix('--')}"))


def _help_of(setting: Setting) -> str:
    about = f"{setting.about[0].upper()}{setting.about[1:]}"
    if setting.plain_type is bool:
        return f"{about} [{setting.option if setting.default else _off(setting)}]."
    return about + ("." if setting.default in (None, (), {}) else f" [{_in_words(setting.default)}].")


def _in_words(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def _options_of(*tables: str, leave_out: Collection[str] = ()) -> Callable[[Command], Command]:
    """Return the options of all settings in `tables` and in the tables below them."""
    chosen = [
        _option_of(setting)
        for table in tables
        for setting in declared(Settings)
        if setting.table.partition(".")[0] == table
        and setting.said("has_option", True)
        and setting.name not in leave_out
    ]
    return _group(*chosen)


connection_options = _options_of("commercelayer")
_OF_RUNS = ("history",)
"""Settings of `[pull]` that a pull alone does without: they are about the breaks of a run."""
pull_options = _options_of("pull", leave_out=_OF_RUNS)
orders_options = _group(
    click.option(
        "--orders",
        "more_orders",
        cls=SettingOption,
        section=_SECTIONS["orders"],
        multiple=True,
        metavar="ORDERS",
        help="Same as the argument ORDERS; repeatable.",
    ),
    _options_of("orders", leave_out=("orders",)),
    *map(setting_option, _OF_FILES),
)
match_options = _options_of("population", "match", leave_out=_OF_FILES)
locale_option = setting_option("locale")
output_options = _options_of("run", "reports", leave_out=("load_to",))
night_options = _group(
    output_options, connection_options, pull_options, *map(setting_option, _OF_RUNS), orders_options, match_options
)
"""The settings of a whole run, which `check` looks at before it."""
trail_options = _group(setting_option("time_zone"), connection_options)
"""The settings of reading an audit trail."""
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Estimate what a pull would cost, after one count; write nothing."
)
run_options = _group(
    click.option("--run", type=click.Path(path_type=Path), metavar="FOLDER", help="Run folder [the latest in --out]."),
    setting_option("out"),
)

decision_options = _group(
    click.option("--reason", required=True, metavar="TEXT", help="The reason, as shown in the reports."),
    click.option("--by", metavar="NAME", help="Who made the decision."),
)
