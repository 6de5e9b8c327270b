"""
The file of transactions beside a file of payments: its name, and how it is written.

`transactions.parquet` stands beside `payments.parquet`, `november.transactions.parquet` beside `november.parquet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from reconcile.files.parquet import write_parquet
from reconcile.payments.mirror.sorted_rows import ROW_GROUP_ROWS
from reconcile.schema import TRANSACTIONS

_PAYMENTS, _TRANSACTIONS = "payments", "transactions"
# These values hardly repeat.
_ENCODINGS = dict.fromkeys(
    (
        *("transaction_id", "order_id", "payment_id", "number", "amount_cents"),
        *("gateway_transaction_id", "token_sha256", "created_at"),
    ),
    "PLAIN",
)


def transactions_beside(payments: Path) -> Path:
    """Return where the transactions belong that were read with the file `payments`."""
    if payments.stem == _PAYMENTS:
        return payments.with_stem(_TRANSACTIONS)
    return payments.with_stem(f"{payments.stem}.{_TRANSACTIONS}")


def write_sorted_transactions(batches: Iterable[pa.RecordBatch], destination: Path) -> int:
    """Write `batches`, columns TRANSACTIONS and in their order, to `destination`; return the rows written."""
    return write_parquet(batches, TRANSACTIONS, destination, encodings=_ENCODINGS, rows_per_group=ROW_GROUP_ROWS)
