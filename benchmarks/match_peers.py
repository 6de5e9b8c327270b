"""
Matching two files against datacompy, on pandas and on Polars: wall time and peak memory, each a process of its own.

datacompy joins on the reference and compares amount and currency; it makes its report, and writes the rows that differ
and those of one side only. It looks at one key, makes no passes and proves nothing. DuckDB's bare full join of the same
files is beside them, as in `match_join`. datacompy is not part of this project and not installed by it: name a Python
that has `datacompy` and `polars`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._process import cost_of
from benchmarks.match_join import write_world

_OURS = """
import sys
from pathlib import Path
from benchmarks.match_join import match
match(*map(Path, sys.argv[1:4]), None)
"""

_JOIN = """
import sys
from pathlib import Path
from benchmarks.match_join import full_join
full_join(*map(Path, sys.argv[1:4]), None)
"""

_PANDAS = """
import sys
import datacompy, pandas as pd
payments = pd.read_parquet(sys.argv[1])
orders = pd.read_parquet(sys.argv[2])
payments = payments.rename(columns={"total_amount_with_taxes_cents": "amount_cents"})
compared = datacompy.PandasCompare(payments, orders, join_columns="reference")
compared.report()
compared.all_mismatch(ignore_matching_cols=True).to_parquet(sys.argv[3])
compared.df1_unq_rows.to_parquet(sys.argv[3])
compared.df2_unq_rows.to_parquet(sys.argv[3])
"""

_POLARS = """
import sys
import datacompy, polars as pl
payments = pl.read_parquet(sys.argv[1])
orders = pl.read_parquet(sys.argv[2])
payments = payments.rename({"total_amount_with_taxes_cents": "amount_cents"})
compared = datacompy.PolarsCompare(payments, orders, join_columns="reference")
compared.report()
compared.all_mismatch(ignore_matching_cols=True).write_parquet(sys.argv[3])
compared.df1_unq_rows.write_parquet(sys.argv[3])
compared.df2_unq_rows.write_parquet(sys.argv[3])
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datacompy-python", help="a Python with datacompy and polars; without one nothing is done")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    if chosen.datacompy_python is None:
        print("left out: name a Python with --datacompy-python", flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        payments, orders = write_world(folder, chosen.rows)
        rounds = [
            (
                cost_of([sys.executable, "-c", _OURS, payments, orders, folder / "items.parquet"]),
                cost_of([chosen.datacompy_python, "-c", _PANDAS, payments, orders, folder / "pandas.parquet"]),
                cost_of([chosen.datacompy_python, "-c", _POLARS, payments, orders, folder / "polars.parquet"]),
                cost_of([sys.executable, "-c", _JOIN, payments, orders, folder / "join.parquet"]),
            )
            for _ in range(chosen.rounds)
        ]
    for place, peer in ((1, "datacompy on pandas"), (2, "datacompy on Polars"), (3, "DuckDB's bare full join")):
        ratio = statistics.median(one[place].seconds / one[0].seconds for one in rounds)
        ours, theirs = (statistics.median(one[side].seconds for one in rounds) for side in (0, place))
        memory = [max(one[side].peak_mb for one in rounds) for side in (0, place)]
        print(
            f"{peer} / match_to_parquet, {chosen.rows:,} rows a side: {ratio:.2f} "
            f"({theirs:.2f} s / {ours:.2f} s), peak {memory[1]:.0f} MB against our {memory[0]:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
