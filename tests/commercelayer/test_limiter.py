"""The limiter against a server's own sliding windows, on a clock that only the test moves."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.commercelayer.document import Quota
from reconcile.commercelayer.rate_limit.limiter import Allowance, Limiter
from reconcile.commercelayer.rate_limit.request_log import Entry
from reconcile.commercelayer.rate_limit.windows import Bound


class VirtualTime:
    """A clock that jumps to the next sleeper when everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, future))
        await future

    async def run(self, *coroutines: object) -> None:
        tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]  # type: ignore[arg-type]
        while not all(task.done() for task in tasks):
            for _ in range(20):  # let everybody come to rest
                await asyncio.sleep(0)
            if self._sleepers and not all(task.done() for task in tasks):
                at, _, future = heapq.heappop(self._sleepers)
                self.now = max(self.now, at)
                if not future.done():
                    future.set_result(None)
        for task in tasks:
            task.result()


class Server:
    """Counts a request when it arrives; both windows slide, and a rejected request counts too."""

    def __init__(self, limit: int, interval: float) -> None:
        self.windows = [(limit, interval, deque[float]()), (max(1, limit // 4), interval / 6, deque[float]())]
        self.rejected = 0
        self.arrivals: list[float] = []
        self.limit, self.interval = limit, interval

    def arrive(self, now: float) -> tuple[bool, Quota]:
        self.arrivals.append(now)
        fits = True
        for limit, interval, log in self.windows:
            while log and log[0] <= now - interval:
                log.popleft()
            fits = fits and len(log) < limit
            log.append(now)
        self.rejected += not fits
        return fits, Quota(self.limit, self.interval, max(0, self.limit - len(self.windows[0][2])))


async def send(
    time: VirtualTime, limiter: Limiter, server: Server, there: float, back: float, urgency: int = 0
) -> bool:
    permit = await limiter.acquire("read", "klarna_payments", urgency=urgency)
    await time.sleep(there)
    fits, quota = server.arrive(time.now)
    await time.sleep(back)
    limiter.settle(permit, answered=True, quota=quota, rejected=not fits)
    return fits


def limiter_of(time: VirtualTime, share: float = 1.0) -> Limiter:
    return Limiter(clock=time.clock, sleep=time.sleep, share=share)


@settings(max_examples=25, deadline=None)
@given(
    delays=st.lists(st.tuples(st.floats(0.001, 2.0), st.floats(0.001, 2.0)), min_size=1, max_size=30),
    walkers=st.integers(1, 40),
    limit=st.sampled_from([200, 100, 12, 7]),
)
def test_whatever_the_network_does_the_server_rejects_nothing(
    delays: list[tuple[float, float]], walkers: int, limit: int
) -> None:
    """The shortest round trip seen is used, so the shortest ways there and back must be seen together."""
    quickest = (min(there for there, _ in delays), min(back for _, back in delays))
    time, server = VirtualTime(), Server(limit, 60.0)
    limiter = limiter_of(time)
    queue = deque([quickest, *(delays[index % len(delays)] for index in range(min(260, 5 * limit)))])

    async def walker() -> None:
        while queue:
            await send(time, limiter, server, *queue.popleft())

    async def scenario() -> None:
        await time.run(send(time, limiter, server, *queue.popleft()))
        await time.run(*(walker() for _ in range(walkers)))

    asyncio.run(scenario())

    assert server.rejected == 0


@pytest.mark.parametrize(("interval", "round_trip"), [(60.0, 0.3), (60.0, 0.05), (3.0, 0.0475)])
def test_the_allowance_is_spent_to_98_percent(interval: float, round_trip: float) -> None:
    """Also with windows 20 times shorter than documented."""
    time, server = VirtualTime(), Server(200, interval)
    limiter = limiter_of(time)
    requests = 2001
    left = [requests - 1]

    async def walker() -> None:
        while left[0]:
            left[0] -= 1
            await send(time, limiter, server, round_trip / 2, round_trip / 2)

    async def scenario() -> None:
        await time.run(send(time, limiter, server, round_trip / 2, round_trip / 2))
        await time.run(*(walker() for _ in range(16)))

    asyncio.run(scenario())

    least = (requests - 1) // 200 * interval
    assert server.rejected == 0
    assert least / server.arrivals[-1] >= 0.98


def test_it_says_how_long_it_holds_the_next_request_back() -> None:
    """51 requests at once: the last of them has to wait until the burst's window of ten seconds is over."""
    time, server = VirtualTime(), Server(200, 60.0)
    limiter, holds = limiter_of(time), []

    async def look() -> None:
        for _ in range(13):
            await time.sleep(1.0)
            holds.append(round(limiter.hold_seconds))

    async def scenario() -> None:
        await time.run(look(), *(send(time, limiter, server, 0.1, 0.1) for _ in range(51)))

    asyncio.run(scenario())

    assert holds == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0]


def test_a_permit_may_be_held_while_something_is_read() -> None:
    """
    As a write that has its payment read immediately before it: what the reading takes is no part of the round trip.

    Of half of them the reading is slow and the way quick, of half the reverse; together all take the same time.
    """
    time, server = VirtualTime(), Server(200, 60.0)
    limiter = limiter_of(time)
    left = [400]

    async def write(reading: float, round_trip: float) -> None:
        permit = await limiter.acquire("write", "klarna_payments")
        await time.sleep(reading)
        limiter.begin(permit)
        await time.sleep(round_trip / 2)
        fits, quota = server.arrive(time.now)
        await time.sleep(round_trip / 2)
        limiter.settle(permit, answered=True, quota=quota, rejected=not fits)

    async def worker() -> None:
        while left[0]:
            left[0] -= 1
            await write(*((0.1, 1.0), (1.0, 0.1))[left[0] % 2])

    async def scenario() -> None:
        await time.run(write(1.0, 0.1))
        await time.run(*(worker() for _ in range(9)))

    asyncio.run(scenario())

    assert server.rejected == 0
    assert 2 * 60.0 / server.arrivals[-1] >= 0.95


def test_the_most_urgent_waiter_goes_first() -> None:
    time = VirtualTime()
    limiter = limiter_of(time)
    order: list[int] = []

    async def ask(urgency: int) -> None:
        await limiter.acquire("read", "klarna_payments", urgency=urgency)
        order.append(urgency)

    async def scenario() -> None:
        held = [await limiter.acquire("read", "klarna_payments") for _ in range(50)]
        waiting = [asyncio.ensure_future(ask(urgency)) for urgency in (0, 1, 3, 2)]
        await asyncio.sleep(0)
        for permit in held:
            limiter.settle(permit, answered=True)
        await time.run(*waiting)

    asyncio.run(scenario())

    assert order == [0, 3, 2, 1]  # the first one was already at the head of the queue


def test_a_share_leaves_the_rest_to_others() -> None:
    time, server = VirtualTime(), Server(200, 60.0)
    limiter = limiter_of(time, share=0.5)

    asyncio.run(time.run(*(send(time, limiter, server, 0.1, 0.1) for _ in range(400))))

    busiest = max(sum(start <= at < start + 60 for at in server.arrivals) for start in server.arrivals)
    assert busiest == 100


def test_requests_of_others_behind_the_same_address_are_counted() -> None:
    time, server = VirtualTime(), Server(200, 60.0)
    limiter = limiter_of(time)
    for _ in range(30):
        server.arrive(0.0)

    async def scenario() -> None:
        await time.run(send(time, limiter, server, 0.1, 0.1))
        await time.run(*(send(time, limiter, server, 0.1, 0.1) for _ in range(300)))

    asyncio.run(scenario())

    assert server.rejected == 0


def test_lower_limits_in_the_headers_are_followed_with_their_burst() -> None:
    time, server = VirtualTime(), Server(40, 60.0)
    limiter = limiter_of(time)

    async def scenario() -> None:
        await time.run(send(time, limiter, server, 0.1, 0.1))
        await time.run(*(send(time, limiter, server, 0.1, 0.1) for _ in range(120)))

    asyncio.run(scenario())

    assert server.rejected == 0
    assert limiter.allowance() == Allowance(40, 60.0)


def test_without_headers_the_documented_figures_of_the_mode_stay() -> None:
    time = VirtualTime()
    limiter = limiter_of(time)
    limiter.assume_mode("test")

    async def scenario() -> list[float]:
        sent = []
        for _ in range(101):
            permit = await limiter.acquire("read", "orders")
            sent.append(time.now)
            limiter.settle(permit, answered=True)
        return sent

    sent: list[float] = []

    async def run() -> None:
        sent.extend(await scenario())

    asyncio.run(time.run(run()))

    assert sent[24] == 0.0
    assert sent[25] >= 10.0
    assert sent[100] >= 60.0


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 10.0), (2.0, 2.0), (0.0, 10.0)])
def test_after_a_rejection_all_wait_and_one_goes_ahead(retry_after: float | None, seconds: float) -> None:
    time = VirtualTime()
    limiter = limiter_of(time)
    sent: list[float] = []

    async def walker() -> None:
        permit = await limiter.acquire("read", "klarna_payments")
        sent.append(time.now)
        await time.sleep(0.5)
        limiter.settle(permit, answered=True)

    async def scenario() -> None:
        permit = await limiter.acquire("read", "klarna_payments")
        limiter.settle(permit, answered=True, rejected=True, retry_after_seconds=retry_after)
        await time.run(*(walker() for _ in range(5)))

    asyncio.run(scenario())

    assert sent == [seconds, *[seconds + 0.5] * 4]


def test_a_second_rejection_waits_for_the_average_window() -> None:
    time = VirtualTime()
    limiter = limiter_of(time)
    sent: list[float] = []

    async def scenario() -> None:
        for _ in range(3):
            permit = await limiter.acquire("read", "klarna_payments")
            sent.append(time.now)
            limiter.settle(permit, answered=True, rejected=True)

    asyncio.run(time.run(scenario()))

    assert sent == [0.0, 10.0, 70.0]


def test_rejections_of_requests_sent_before_the_pause_are_one_event() -> None:
    time = VirtualTime()
    limiter = limiter_of(time)

    async def scenario() -> float:
        permits = [await limiter.acquire("read", "klarna_payments") for _ in range(8)]
        for permit in permits:
            limiter.settle(permit, answered=True, rejected=True)
        await limiter.acquire("read", "klarna_payments")
        return time.now

    at: list[float] = []

    async def run() -> None:
        at.append(await scenario())

    asyncio.run(time.run(run()))

    assert at == [10.0]


def test_writes_and_tokens_have_windows_of_their_own() -> None:
    time = VirtualTime()
    limiter = limiter_of(time)

    async def scenario() -> None:
        for _ in range(50):
            await limiter.acquire("read", "klarna_payments")
        for _ in range(50):
            await limiter.acquire("write", "klarna_payments")
        for _ in range(30):
            await limiter.acquire("token", "oauth")

    asyncio.run(time.run(scenario()))

    assert time.now == 0.0


def test_a_cancelled_waiter_gives_its_turn_on() -> None:
    time = VirtualTime()
    limiter = limiter_of(time)

    async def scenario() -> None:
        held = [await limiter.acquire("read", "klarna_payments") for _ in range(50)]
        waiting = [asyncio.ensure_future(limiter.acquire("read", "klarna_payments")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
        for permit in held:
            limiter.settle(permit, answered=True)
        await time.run(waiting[2])

    asyncio.run(scenario())


def test_without_a_limit_nothing_waits() -> None:
    time = VirtualTime()
    limiter = Limiter(clock=time.clock, sleep=time.sleep, limited=False)

    async def scenario() -> None:
        for _ in range(1000):
            permit = await limiter.acquire("read", "klarna_payments")
            limiter.settle(permit, answered=True, quota=Quota(200, 60, 0))

    asyncio.run(time.run(scenario()))

    assert time.now == 0.0
    assert limiter.allowance() is None


@given(
    steps=st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60),
    limit=st.integers(1, 6),
)
def test_a_window_never_gives_more_than_its_requests(steps: list[tuple[float, bool]], limit: int) -> None:
    bound, entries = Bound(Allowance(limit, 10.0)), list[Entry]()
    now, taken, held = 0.0, list[float](), list[Entry]()
    for pause, settle in steps:
        now += pause
        if settle and held:
            answered = held.pop(0)
            answered.at, answered.under_way = now, False
        elif bound.delay_seconds(entries, now) == 0:
            held.append(Entry(len(entries), "orders", math.inf))
            entries.append(held[-1])
            taken.append(now)

    assert all(sum(start <= at < start + 10 for at in taken) <= limit for start in taken)
