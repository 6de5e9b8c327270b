"""
A sandbox that runs: own thread, own event loop, a port of its own. For tests, the demo and the command.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack
from types import TracebackType

from aiohttp import http_exceptions, web

from reconcile.sandbox.api.app import STORAGE, make_app
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.frontdoor import RequestRecord
from reconcile.sandbox.api.tokens import SALES_CHANNEL_ID, SALES_CHANNEL_SECRET
from reconcile.sandbox.world.world import World

__all__ = ["SALES_CHANNEL_ID", "SALES_CHANNEL_SECRET", "SandboxServer"]


class SandboxServer:
    """
    Serves `world` on `host` from entering to leaving the `with` block, and the files of its exports on another port.

    A port of 0 takes a free one. `requests` holds every request that came in, oldest first, `storage_requests` those
    for files; both stay empty with `keep_requests=False`.
    Raises OSError on entering when a port is taken.
    """

    def __init__(
        self,
        world: World,
        behaviour: Behaviour | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        storage_port: int = 0,
        keep_requests: bool = True,
    ) -> None:
        behaviour = behaviour or Behaviour()
        self.world = world
        self.wall_clock = behaviour.wall_clock
        self.client_id = behaviour.client_id
        self.client_secret = behaviour.client_secret
        self.requests: list[RequestRecord] = []
        self.storage_requests: list[RequestRecord] = []
        if behaviour.canary is not None:
            world.canary = behaviour.canary
        self._host = host
        self._port = port
        self._storage_port = storage_port
        self._app = make_app(
            world,
            behaviour,
            requests=self.requests if keep_requests else None,
            storage_requests=self.storage_requests if keep_requests else None,
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return self._address(self._port)

    @property
    def storage_url(self) -> str:
        """The storage's address, without a path."""
        return self._address(self._storage_port)

    @property
    def api_url(self) -> str:
        """The base of the API."""
        return f"{self.url}/api"

    @property
    def auth_url(self) -> str:
        """The base of `/oauth/token`."""
        return self.url

    def __enter__(self) -> SandboxServer:
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that waits for it
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        storage = web.Application()
        storage.router.add_route("*", "/{path:.*}", self._app[STORAGE].answer)
        async with AsyncExitStack() as stack:
            self._storage_port = await self._listen(stack, storage, self._storage_port)
            self._app[STORAGE].address = self.storage_url
            self._port = await self._listen(stack, self._app, self._port)
            self._ready.set()
            await self._stop.wait()

    async def _listen(self, stack: AsyncExitStack, app: web.Application, port: int) -> int:
        """Serve `app` until `stack` is left and return its port."""
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_logger(),
            handler_cancellation=True,  # a stalled answer ends when its client goes
            shutdown_timeout=0.1,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._host, port, backlog=1024).start()
        taken: int = runner.addresses[0][1]
        return taken

    def _address(self, port: int) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{port}"


def _logger() -> logging.Logger:
    """Return a log of our own mistakes: a request that is no HTTP is the sender's, and answered with 400."""
    logger = logging.getLogger("reconcile.sandbox")
    if not logger.filters:
        logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], http_exceptions.HttpProcessingError))
