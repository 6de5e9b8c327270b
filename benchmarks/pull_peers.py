"""
A whole `reconcile pull` against what is used for the same today: dlt's REST source, and the vendor's own SDK.

All read the payments of the same generated world, with their orders, from static files served by nginx from one core
and without a rate limit. dlt writes Parquet and leaves the orders out; the SDK lists page after page and keeps
nothing. Neither counts, checks or sorts. They are not part of this project and are not installed by it: name a Python
that has `dlt[parquet]`, and a folder of Node's packages that has `@commercelayer/sdk`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _static_api
from benchmarks.pull_floor import floor, whole_pull
from reconcile.commercelayer.query import Window, page_params
from reconcile.commercelayer.relations import Wanted

_DLT = """
import sys
import dlt
from dlt.sources.rest_api import rest_api_source

base, folder, parameters = sys.argv[1], sys.argv[2], dict(pair.split("=", 1) for pair in sys.argv[3:])
parameters.pop("page[number]")
pages = {"type": "page_number", "base_page": 1, "page_param": "page[number]", "total_path": "meta.page_count"}
source = rest_api_source({
    "client": {"base_url": f"{base}/api/", "paginator": pages, "headers": {"Accept": "application/vnd.api+json"}},
    "resources": [{
        "name": "klarna_payments",
        "endpoint": {"path": "klarna_payments", "params": parameters, "data_selector": "data"},
    }],
})
pipeline = dlt.pipeline("bench", destination=dlt.destinations.filesystem(folder), pipelines_dir=f"{folder}/state")
pipeline.run(source, loader_file_format="parquet")
"""

_SDK = """
import { CommerceLayer } from '@commercelayer/sdk/bundle'
const base = process.argv[2]
const moved = (request, options) => {
  const url = new URL(typeof request === 'string' ? request : request.url ?? request)
  return fetch(base + url.pathname + url.search, options)
}
const client = CommerceLayer({ accessToken: process.argv[3], organization: 'bench', fetch: moved })
let payments = 0
for (let page = 1; ; page++) {
  const listed = await client.klarna_payments.list(
    { include: ['order'], pageSize: 25, pageNumber: page, sort: { id: 'asc' } })
  payments += listed.length
  if (!listed.hasNextPage()) break
}
console.log(payments)
"""


def dlt_seconds(url: str, python: Path) -> float:
    """Return the seconds of a process in which dlt pulls the payments into Parquet."""
    parameters = [f"{name}={value}" for name, value in page_params(Window(None, None), Wanted()).items()]
    environ = os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([python, "-c", _DLT, url, folder, *parameters], check=True, env=environ, cwd=folder)
        seconds = time.perf_counter() - started
        assert list(Path(folder).rglob("*.parquet")), "dlt has written no Parquet"
    return seconds


def sdk_seconds(url: str, packages: Path, payments: int) -> float:
    """Return the seconds of a process in which the vendor's SDK lists the payments, a page after another."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "list.mjs"
        script.write_text(_SDK)
        (Path(folder) / "node_modules").symlink_to(packages.absolute())
        started = time.perf_counter()
        command = ["node", str(script), url, _static_api.access_token()]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds = time.perf_counter() - started
    assert int(listed) == payments, listed
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the peers that are there; say which are not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=Path, help="folder in which recorded pages are kept [a temporary one]")
    parser.add_argument("--dlt-python", type=Path, help="a Python that has dlt[parquet]")
    parser.add_argument("--node-packages", type=Path, help="a node_modules folder that has @commercelayer/sdk")
    chosen = parser.parse_args(arguments)
    if not chosen.dlt_python and not chosen.node_packages:
        print("neither --dlt-python nor --node-packages is given: no peer to measure", flush=True)
        return
    with tempfile.TemporaryDirectory() as temporary:
        pages = (chosen.pages or Path(temporary)) / str(chosen.payments)
        numbered = pages.with_name(f"{pages.name}-numbered")
        _static_api.record(chosen.payments, pages)
        _static_api.record(chosen.payments, numbered, numbered=True)
        times: dict[str, list[tuple[float, float]]] = {"dlt": [], "the vendor's SDK": []}
        for _ in range(chosen.rounds):
            with _static_api.served(pages) as url:
                least, ours = floor(url, pages)[0], whole_pull(url)[0]
            with _static_api.served(numbered) as url:
                if chosen.dlt_python:
                    times["dlt"].append((dlt_seconds(url, chosen.dlt_python) / ours, ours / least))
                if chosen.node_packages:
                    seconds = sdk_seconds(url, chosen.node_packages, chosen.payments)
                    times["the vendor's SDK"].append((seconds / ours, ours / least))
        for name, ratios in times.items():
            if ratios:
                faster, to_floor = (statistics.median(values) for values in zip(*ratios, strict=True))
                print(
                    f"{chosen.payments:,} payments: {name} takes {faster:.1f} times as long as `reconcile pull`, "
                    f"{faster * to_floor:.1f} times the floor",
                    flush=True,
                )


if __name__ == "__main__":
    main()
