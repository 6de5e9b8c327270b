"""The floor of a pull, as a program: a bare aiohttp loop that sends recorded requests and discards the answers."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aiohttp

ACCEPT = "application/vnd.api+json"
HEADERS = {"Accept": ACCEPT, "Authorization": f"Bearer {'x' * 160}"}
AT_ONCE = 16


async def fetch(base: str, requests: list[str]) -> int:
    """Send all `requests`, 16 at once, and return the number of bytes that came back."""
    coming, received = iter(requests), 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal received
        for request in coming:
            async with session.get(base + request) as response:
                assert response.status == 200, (response.status, request)
                received += len(await response.read())

    async with aiohttp.ClientSession(headers=HEADERS) as session:
        await asyncio.gather(*(work(session) for _ in range(AT_ONCE)))
    return received


def main() -> None:
    """`python -m benchmarks._floor BASE REQUESTS`: print bytes and seconds of the loop."""
    requests = Path(sys.argv[2]).read_text().splitlines()
    started = time.perf_counter()
    received = asyncio.run(fetch(sys.argv[1], requests))
    print(received, time.perf_counter() - started)


if __name__ == "__main__":
    main()
