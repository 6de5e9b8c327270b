"""
The vendor's dashboard: the page of an order in it.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.schema import Columns

DASHBOARD = "https://dashboard.commercelayer.io/"
"""Where the vendor's dashboard is."""


def links_of(columns: Columns, organization: str | None) -> pa.Array[Any]:
    """Return the page of each item's order in the dashboard of the vendor; null where one is not known."""
    # https://docs.commercelayer.io/dashboard: the address has the slug of the organization, and the mode.
    order_id, mode = columns["order_id"], columns["mode"]
    start = pa.scalar(None if organization is None else DASHBOARD, pa.string())
    middle = pa.scalar(f"/{organization}/orders/list/", pa.string())
    link: pa.Array[Any] = pc.binary_join_element_wise(start, mode, middle, order_id, "")
    return link
