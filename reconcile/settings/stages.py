"""
Settings turned into what each stage takes: a client, keywords, a policy, limits.

The last place that knows settings by name: the operations call it, the stages never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from reconcile.errors import OutputError, SettingsError
from reconcile.figures import limits
from reconcile.matching.engines.spark_session import check_spark
from reconcile.matching.keys.rules import CleanRules, Replacement
from reconcile.matching.policy import MatchPolicy, Status, Tolerance
from reconcile.orders.databases.url import OrdersQuery, orders_query
from reconcile.orders.format import Declared
from reconcile.reports.display import display_of
from reconcile.runs.manifest import NAME, Manifest
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings, parse_moment

if TYPE_CHECKING:
    from reconcile.commercelayer.client import CommerceLayer

AUTH_URL = "https://auth.commercelayer.io"

_FIRST_DATE, _LAST_DATE = date(1980, 1, 1), date(2999, 12, 31)

COMMERCE_LAYER = "commerce-layer"
"""In place of an order file: the order totals of Commerce Layer's own exports."""


def connect(settings: Settings, secrets: Secrets) -> CommerceLayer:
    """
    Return a client for the organization of `settings`; nothing is sent yet.

    Raises SettingsError when neither `organization` nor `api_url` is set.
    """
    if settings.api_url is None and settings.organization is None:
        raise SettingsError(
            "no organization: it is not known where to pull from",
            hint="add --organization SLUG, or set [commercelayer] organization in reconcile.toml",
        )
    from reconcile.commercelayer.client import CommerceLayer, Credentials  # with it comes aiohttp

    api_url = settings.api_url or f"https://{settings.organization}.commercelayer.io/api"
    auth_url = settings.auth_url or (_origin(api_url) if settings.api_url else AUTH_URL)
    return CommerceLayer(
        api_url=api_url,
        auth_url=auth_url,
        credentials=Credentials(secrets.client_id, secrets.client_secret),
        rate_share=settings.rate_share,
        rate_limit=settings.rate_limit,
        allowance=Path(settings.allowance) if settings.allowance else None,
        expected_mode=settings.mode,
        scope=settings.scope,
        timeout_seconds=settings.timeout_seconds,
        retry_seconds=settings.retry_seconds,
    )


def pull_window(settings: Settings) -> dict[str, Any]:
    """Return what a pull sees by `settings`, as the keywords of `pull_to_parquet` and `pull_to_table`."""
    return {
        "since": parse_moment(settings.since, "since") if settings.since else None,
        "until": parse_moment(settings.until, "until") if settings.until else None,
        "mode": settings.mode,
        "via": settings.via,
    }


def order_keywords(settings: Settings) -> Declared:
    """Return how order totals are read by `settings`, as the keywords of `read_orders`."""
    return {
        "reference_column": settings.reference_column,
        "amount_column": settings.amount_column,
        "currency_column": settings.currency_column,
        "order_number_column": settings.order_number_column,
        "order_id_column": settings.order_id_column,
        "ordered_on_column": settings.ordered_on_column,
        "sign_column": settings.sign_column,
        "currency": settings.currency,
        "amount_basis": settings.amount_basis,
        "decimal": settings.decimal,
        "thousands": settings.thousands,
        "amount_unit": settings.amount_unit,
        "accounting": settings.accounting,
        "date_format": settings.date_format,
        "continuation_rows": settings.continuation_rows,
        "delimiter": settings.delimiter,
        "quote": settings.quote,
        "encoding": settings.encoding,
        "sheet": settings.sheet,
        "download_limit": settings.download_limit,
    }


def order_queries(settings: Settings) -> list[OrdersQuery]:
    """Return the query for order totals by `settings`, if any. Raises SettingsError for one that cannot be asked."""
    query = orders_query(settings.orders_sql, settings.orders_db)
    return [query] if query is not None else []


def narrowed_to(settings: Settings) -> str | None:
    """Return in words which payments a pull by `settings` leaves out, null when it leaves out none."""
    parts = [f"from {settings.since} on"] if settings.since else []
    return " and ".join([*parts, f"before {settings.until}"] if settings.until else parts) or None


def checked(settings: Settings) -> tuple[MatchPolicy, list[limits.Limit]]:
    """
    Return the policy and the limits of `settings`, and find out before any work whether the rest can be used.

    Raises SettingsError.
    """
    check_orders_named(settings)
    if settings.load_to:
        from reconcile.warehouse.load import sink_of  # with it comes DuckDB, which a pull does without

        sink_of(settings.load_to)
    if settings.engine == "spark":
        check_spark()
    display_of(settings.locale)
    limits_of(settings.warn_on, "--warn-on")
    return policy_of(settings), limits_of(settings.fail_on, "--fail-on")


def check_business_date(business_date: date) -> None:
    """Raise SettingsError for a date near an end of the calendar: what is counted from it would lie beyond."""
    if not _FIRST_DATE <= business_date <= _LAST_DATE:
        raise SettingsError(
            f"{business_date}: is not a business date", hint=f"give one from {_FIRST_DATE} to {_LAST_DATE}"
        )


def check_orders_named(settings: Settings) -> None:
    """Raise SettingsError when `settings` do not say where the order totals are."""
    if not settings.orders and not order_queries(settings):
        raise SettingsError("no order totals: no file is named", hint="name one or more files, or set [orders] files")


def check_only_files(settings: Settings) -> None:
    """Raise SettingsError when order totals are to come from Commerce Layer, where nothing is sent."""
    if COMMERCE_LAYER in settings.orders:
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
        return msgspec.convert(manifest.settings, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise OutputError(
            f"{folder / NAME}: its settings are not of this version: {error}", hint="run the date again"
        ) from error


def policy_of(settings: Settings) -> MatchPolicy:
    """Return the matching's policy by `settings`. Raises SettingsError when it contradicts itself."""
    return MatchPolicy(
        on=settings.on,
        amount_basis=settings.amount_basis,
        tolerance_cents=settings.tolerance_cents,
        tolerance_percent=settings.tolerance_percent,
        per_currency={code: Tolerance(one.cents, one.percent) for code, one in settings.tolerances.items()},
        payment_lag_days=settings.lag_days,
        order_lag_days=settings.lag_days,
        group_orders=settings.group_orders,
        mode=settings.mode,
        clean=CleanRules(
            case=settings.clean_case,
            replace=tuple(Replacement(one.pattern, one.with_) for one in settings.clean_replace),
            strip_prefix=settings.clean_strip_prefix,
            strip_suffix=settings.clean_strip_suffix,
            strip_zeros=settings.clean_strip_zeros,
            pad_zeros=settings.clean_pad_zeros,
            keys=settings.clean_keys,
            sides=settings.clean_sides,
        ),
    )


def limits_of(texts: Sequence[str], option: str) -> list[limits.Limit]:
    """Return the limits in `texts`, which `option` has given. Raises SettingsError for one that cannot be read."""
    return [limits.parse_limit(text, [str(status) for status in Status], option=option) for text in texts]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
