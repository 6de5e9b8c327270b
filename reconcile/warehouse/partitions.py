"""
Where the rows of a scope stand in a folder of Parquet files, and how a load in progress is named.

An organization is text from a manifest: in the name of a folder every sign that is not plain is escaped as in a URL,
which pyarrow, DuckDB, Spark and pandas take back.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import quote, unquote

from reconcile.runs.manifest import is_date
from reconcile.warehouse.tables import UNKNOWN, UNNAMED, Scope

STAGE = ".loading-"
"""What the name of the folder of a load in progress begins with."""


def partition_of(scope: Scope) -> str:
    """Return the folder of `scope` below that of a table."""
    return f"organization={_escaped(scope.organization)}/mode={_escaped(scope.mode)}/{of_earlier(scope.business_date)}"


def of_earlier(business_date: date) -> str:
    """Return the folder in which versions without organization and mode have put a business date."""
    return f"business_date={business_date.isoformat()}"


def less_known(scope: Scope) -> list[str]:
    """Return the folders in which runs of the same folder may be that named no organization, or no mode."""
    return [of_earlier(scope.business_date), *map(partition_of, scope.less_known)]


def is_nobodys(scope: Scope) -> bool:
    """Whether `scope` is that of all rows in a folder of an earlier version."""
    return (scope.organization, scope.mode) == (UNNAMED, UNKNOWN)


def stage_of(scope: Scope) -> str:
    """Return the name of the folder of a load in progress."""
    return f"{STAGE}{_escaped(scope.organization)},{_escaped(scope.mode)},{scope.business_date.isoformat()}"


def partitions_in(stage: str) -> tuple[str, list[str]] | None:
    """
    Return for the name of a stage the folder that its load replaces, and those that it may remove.

    Null where it is no stage. One with a business date only is that of an earlier version's load.
    """
    parts = stage.removeprefix(STAGE).split(",")
    if not stage.startswith(STAGE) or not is_date(parts[-1]):
        return None
    day = date.fromisoformat(parts[-1])
    if len(parts) == 1:
        return of_earlier(day), []
    if len(parts) != 3:
        return None
    scope = Scope(unquote(parts[0]), unquote(parts[1]), day)
    return partition_of(scope), less_known(scope)


def _escaped(text: str) -> str:
    return quote(text, safe="")
