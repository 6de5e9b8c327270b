"""
`reconcile`: registers the commands.

Nothing heavy is imported here or at the top of a command's file: `--help` and a typing error answer at once.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

import click

from reconcile.cli.breaks import breaks
from reconcile.cli.check import check
from reconcile.cli.demo import demo
from reconcile.cli.explain import explain
from reconcile.cli.history import history
from reconcile.cli.init import init
from reconcile.cli.load import load
from reconcile.cli.match import match
from reconcile.cli.orders import orders
from reconcile.cli.pull import pull
from reconcile.cli.refresh import refresh
from reconcile.cli.report import report
from reconcile.cli.run import run
from reconcile.cli.runs import runs
from reconcile.cli.sandbox import sandbox
from reconcile.cli.schema import schema
from reconcile.version import __version__

_M_ARENA_MAX = -8  # of glibc's malloc.h
_COLLECT_AFTER = 50_000  # new containers; at 700, Python's own, a tenth of a small command goes into looking at them


_EXIT_CODES = """
Exit codes: 0 done, 1 a --fail-on limit is exceeded, or a run is not what was published, 2 usage or settings, 3 input
file, 4 Commerce Layer, 5 warehouse, report or disk, 130 interrupted (run the same command to resume).
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EXIT_CODES)
@click.version_option(__version__, prog_name="reconcile")
def main() -> None:
    """
    Reconcile every Commerce Layer klarna_payment with exported order totals.

    Start with `reconcile demo`: it needs no credentials and no network.
    """
    # Arrow's own pools keep what they have freed: a third more memory for a pull, and no less time.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no linear algebra here: threads that would only spin
    gc.set_threshold(_COLLECT_AFTER)
    _keep_few_heaps()
    click.get_current_context().with_resource(_without_pandas())


def _keep_few_heaps() -> None:
    """Have the threads of this process share two heaps where glibc would give each its own, and keep what it frees."""
    import ctypes

    if "MALLOC_ARENA_MAX" not in os.environ and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 2)


class _NoPandas:
    """What an import asks where a module is: says of pandas that it is not installed."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("a command has no frames of pandas", name=name)


@contextlib.contextmanager
def _without_pandas() -> Iterator[None]:
    """Keep pyarrow from loading pandas, which it asks of each value whether it is one of its objects: half a second."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoPandas)


for _command in (
    demo,
    run,
    pull,
    match,
    explain,
    history,
    refresh,
    report,
    orders,
    breaks,
    runs,
    load,
    schema,
    check,
    init,
    sandbox,
):
    main.add_command(_command)
    for _leaf in _command.commands.values() if isinstance(_command, click.Group) else (_command,):
        _leaf.epilog = _EXIT_CODES
