"""
Reconcile Commerce Layer klarna_payments with exported order totals.

    payments = reconcile.pull_payments_sync(organization="my-shop")  # or: await reconcile.pull_payments(…)
    orders = reconcile.read_orders("orders.csv")
    result = reconcile.match_payments(payments, orders)

The names below are public; importing the package costs nothing until one of them is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reconcile.version import __version__

if TYPE_CHECKING:
    from reconcile.errors import ReconcileError as ReconcileError
    from reconcile.operations.chosen_breaks import ChosenBreaks as ChosenBreaks
    from reconcile.operations.match_result import MatchResult as MatchResult
    from reconcile.operations.night import match as match_files
    from reconcile.operations.night import run as run_reconciliation
    from reconcile.operations.notebook import fetch_payment as fetch_payment
    from reconcile.operations.notebook import fetch_payment_sync as fetch_payment_sync
    from reconcile.operations.notebook import match_payments as match_payments
    from reconcile.operations.notebook import pull_payments as pull_payments
    from reconcile.operations.notebook import pull_payments_sync as pull_payments_sync
    from reconcile.operations.notebook import read_orders as read_orders
    from reconcile.operations.run_frames import Run as Run
    from reconcile.operations.run_frames import read_run as read_run
    from reconcile.operations.staged_run import RunResult as RunResult
    from reconcile.operations.stopping import end_on_sigterm as end_on_sigterm
    from reconcile.runs.folder import published as published_runs
    from reconcile.settings.credentials import Secrets as Secrets
    from reconcile.settings.credentials import read_secrets as read_secrets
    from reconcile.settings.settings import Settings as Settings
    from reconcile.settings.sources import load_settings as load_settings
    from reconcile.settings.stages import business_date_of as business_date_of
    from reconcile.warehouse.load import load_run as load_run

_PUBLIC = {
    "ChosenBreaks": ("reconcile.operations.chosen_breaks", "ChosenBreaks"),
    "MatchResult": ("reconcile.operations.match_result", "MatchResult"),
    "ReconcileError": ("reconcile.errors", "ReconcileError"),
    "Run": ("reconcile.operations.run_frames", "Run"),
    "RunResult": ("reconcile.operations.staged_run", "RunResult"),
    "Secrets": ("reconcile.settings.credentials", "Secrets"),
    "Settings": ("reconcile.settings.settings", "Settings"),
    "business_date_of": ("reconcile.settings.stages", "business_date_of"),
    "end_on_sigterm": ("reconcile.operations.stopping", "end_on_sigterm"),
    "fetch_payment": ("reconcile.operations.notebook", "fetch_payment"),
    "fetch_payment_sync": ("reconcile.operations.notebook", "fetch_payment_sync"),
    "load_run": ("reconcile.warehouse.load", "load_run"),
    "load_settings": ("reconcile.settings.sources", "load_settings"),
    "match_files": ("reconcile.operations.night", "match"),
    "match_payments": ("reconcile.operations.notebook", "match_payments"),
    "published_runs": ("reconcile.runs.folder", "published"),
    "pull_payments": ("reconcile.operations.notebook", "pull_payments"),
    "pull_payments_sync": ("reconcile.operations.notebook", "pull_payments_sync"),
    "read_orders": ("reconcile.operations.notebook", "read_orders"),
    "read_run": ("reconcile.operations.run_frames", "read_run"),
    "read_secrets": ("reconcile.settings.credentials", "read_secrets"),
    "run_reconciliation": ("reconcile.operations.night", "run"),
}
"""Public name → module and name in it."""

__all__ = [
    "ChosenBreaks",
    "MatchResult",
    "ReconcileError",
    "Run",
    "RunResult",
    "Secrets",
    "Settings",
    "__version__",
    "business_date_of",
    "end_on_sigterm",
    "fetch_payment",
    "fetch_payment_sync",
    "load_run",
    "load_settings",
    "match_files",
    "match_payments",
    "published_runs",
    "pull_payments",
    "pull_payments_sync",
    "read_orders",
    "read_run",
    "read_secrets",
    "run_reconciliation",
]


def __getattr__(name: str) -> Any:
    try:
        module, own_name = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(module), own_name)


def __dir__() -> list[str]:
    return __all__
