"""
What settings are good for, found out before any work: a client, limits, and what does not go together.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import to_builtins

from reconcile.errors import OutputError, SettingsError
from reconcile.figures import limits
from reconcile.matching.engines.spark_session import check_spark
from reconcile.matching.policy import Status
from reconcile.reports.display import display_of
from reconcile.runs.manifest import MANIFEST_NAME, Manifest
from reconcile.runs.unfinished import unfinished_date
from reconcile.settings.credentials import Secrets
from reconcile.settings.declared import declared
from reconcile.settings.settings import COMMERCE_LAYER, Settings
from reconcile.settings.sources import settings_in

if TYPE_CHECKING:
    from reconcile.commercelayer.client import CommerceLayer

log = logging.getLogger("reconcile.run")

AUTH_URL = "https://auth.commercelayer.io"

_FIRST_DATE, _LAST_DATE = date(1980, 1, 1), date(2999, 12, 31)


def connect(settings: Settings, secrets: Secrets) -> CommerceLayer:
    """
    Return a client for the organization of `settings`; nothing is sent yet.

    Raises SettingsError when neither `organization` nor `api_url` is set.
    """
    chosen = settings.commercelayer
    if chosen.api_url is None and chosen.organization is None:
        raise SettingsError(
            "no organization: it is not known where to pull from",
            hint="add --organization SLUG, or set [commercelayer] organization in reconcile.toml",
        )
    from reconcile.commercelayer.client import CommerceLayer, Credentials  # with it comes aiohttp

    api_url = chosen.api_url or f"https://{chosen.organization}.commercelayer.io/api"
    auth_url = chosen.auth_url or (_origin(api_url) if chosen.api_url else AUTH_URL)
    return CommerceLayer(
        api_url=api_url,
        auth_url=auth_url,
        credentials=Credentials(secrets.client_id, secrets.client_secret),
        rate_share=chosen.rate_share,
        rate_limit=chosen.rate_limit,
        allowance=Path(chosen.allowance) if chosen.allowance else None,
        expected_mode=chosen.mode,
        scope=chosen.scope,
        timeout_seconds=chosen.timeout_seconds,
        retry_seconds=chosen.retry_seconds,
    )


def checked(settings: Settings) -> list[limits.Limit]:
    """
    Return the limits of `settings`, and find out before any work whether the rest can be used.

    Raises SettingsError.
    """
    check_orders_named(settings)
    if settings.run.load_to:
        from reconcile.warehouse.load import sink_of  # with it comes DuckDB, which a pull does without

        sink_of(settings.run.load_to)
    if settings.run.engine == "spark":
        check_spark()
    display_of(settings.reports.locale)
    limits_of(settings.run.warn_on, "--warn-on")
    return limits_of(settings.run.fail_on, "--fail-on")


def business_date_of(settings: Settings) -> date:
    """
    Return the business date of a run that begins now: that of an unfinished one in its folder, where none is named.

    Raises SettingsError when `settings.run.date` is no date.
    """
    text, now = settings.run.date, datetime.now(UTC)
    today = settings.population.day_of(now)
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    if text not in days:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise SettingsError(
                f'date "{text}" is not a date', hint="write it as 2026-11-22, or today, or yesterday"
            ) from None
    begun = unfinished_date(settings.out, now)
    if begun is not None and begun != days[text]:
        log.info("the unfinished run of %s is resumed; name another date with --date", begun)
    return begun or days[text]


def check_business_date(business_date: date) -> None:
    """Raise SettingsError for a date near an end of the calendar: what is counted from it would lie beyond."""
    if not _FIRST_DATE <= business_date <= _LAST_DATE:
        raise SettingsError(
            f"{business_date}: is not a business date", hint=f"give one from {_FIRST_DATE} to {_LAST_DATE}"
        )


def check_orders_named(settings: Settings) -> None:
    """Raise SettingsError when `settings` do not say where the order totals are."""
    if not settings.orders.files and not settings.orders.queries:
        raise SettingsError("no order totals: no file is named", hint="name one or more files, or set [orders] files")


def check_only_files(settings: Settings) -> None:
    """Raise SettingsError when order totals are to come from Commerce Layer, where nothing is sent."""
    if COMMERCE_LAYER in settings.orders.files:
        raise SettingsError(
            f"{COMMERCE_LAYER}: order totals are exported by `reconcile run`; here only files are read",
            hint=f'`reconcile orders export --to exports` makes files: name "exports/orders-*.json.gz". '
            f"A file of that name is ./{COMMERCE_LAYER}",
        )


def settings_of(manifest: Manifest, folder: Path) -> Settings:
    """
    Return the settings with which the run in `folder` was made, by its `manifest`; secrets are not among them.

    Raises OutputError when they are not of this version.
    """
    try:
        return settings_in(manifest.settings, str(folder / MANIFEST_NAME))
    except (SettingsError, TypeError) as error:
        raise OutputError(
            f"{folder / MANIFEST_NAME}: its settings are from another version: {error}", hint="run the date again"
        ) from error


def rules_of(settings: Settings) -> dict[str, object]:
    """Return the rules of a run, `[match]` and `[population]` as they are written, by table and key."""
    return {
        f"[{one.table}] {one.key}": to_builtins(one.value_in(settings))
        for one in declared(Settings)
        if one.table.split(".")[0] in ("match", "population")
    }


def limits_of(texts: Sequence[str], option: str) -> list[limits.Limit]:
    """Return the limits in `texts`, which `option` has given. Raises SettingsError for one that cannot be read."""
    return [limits.parse_limit(text, [str(status) for status in Status], option=option) for text in texts]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
