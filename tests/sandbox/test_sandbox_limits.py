"""Sliding windows: the average of a class, the burst of an endpoint, tokens apart, refused requests counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.sandbox.api.limits import DOCUMENTED, Limits, RateLimiter
from reconcile.sandbox.world.world import World


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reads(limiter: RateLimiter, count: int, *, endpoint: str = "klarna_payments", address: str = "A") -> list[bool]:
    return [limiter.admit_request(address, writes=False, endpoint=endpoint).allowed for _ in range(count)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(DOCUMENTED, clock=clock)


def test_fifty_reads_of_an_endpoint_in_ten_seconds(limiter, clock) -> None:
    assert reads(limiter, 51) == [True] * 50 + [False]

    clock.now = 10.0
    assert reads(limiter, 1) == [True]


def test_the_window_slides_and_never_resets(limiter, clock) -> None:
    reads(limiter, 25)
    clock.now = 9.0
    reads(limiter, 25)
    clock.now = 10.0
    assert reads(limiter, 26) == [True] * 25 + [False]


def test_two_hundred_reads_of_all_endpoints_in_a_minute(limiter, clock) -> None:
    for endpoint in ("klarna_payments", "orders", "exports", "payment_gateways"):
        assert all(reads(limiter, 50, endpoint=endpoint))
    assert reads(limiter, 1, endpoint="organization") == [False]

    clock.now = 60.0
    assert reads(limiter, 1, endpoint="organization") == [True]


def test_a_refused_request_keeps_the_address_blocked(limiter, clock) -> None:
    reads(limiter, 50)
    clock.now = 5.0
    reads(limiter, 50)
    clock.now = 10.0

    assert reads(limiter, 1) == [False]


def test_reads_writes_tokens_and_addresses_are_counted_apart(limiter) -> None:
    reads(limiter, 50)

    assert limiter.admit_request("A", writes=True, endpoint="klarna_payments").allowed
    assert limiter.admit_token("A").allowed
    assert reads(limiter, 1, address="B") == [True]
    assert [limiter.admit_token("A").allowed for _ in range(30)] == [True] * 29 + [False]


def test_test_mode_has_half_of_it_except_for_tokens() -> None:
    limits = DOCUMENTED.for_mode("test")

    assert (limits.read_average, limits.read_burst, limits.write_average, limits.write_burst) == (100, 25, 100, 25)
    assert limits.token_average == 30


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=120))
def test_a_request_is_admitted_exactly_when_no_window_is_full(waits: list[int]) -> None:
    clock = Clock()
    limits = Limits(read_average=12, read_burst=4, average_seconds=60, burst_seconds=10)
    limiter = RateLimiter(limits, clock=clock)
    at: list[float] = []
    for wait in waits:
        clock.now += wait / 100
        at.append(clock.now)
        in_burst = sum(clock.now - 10 < moment for moment in at)
        in_average = sum(clock.now - 60 < moment for moment in at)
        admission = limiter.admit_request("A", writes=False, endpoint="klarna_payments")

        assert admission.allowed == (in_burst <= 4 and in_average <= 12)
        assert admission.remaining == max(0, 12 - in_average)


def test_headers_describe_the_average_only(serve) -> None:
    answer = serve(limits=DOCUMENTED).get("/klarna_payments")

    assert answer.headers["X-Ratelimit-Limit"] == "200"
    assert answer.headers["X-Ratelimit-Interval"] == "60"
    assert answer.headers["X-Ratelimit-Remaining"] == "199"
    assert "X-Ratelimit-Reset" not in answer.headers


def test_over_the_limit_the_edge_answers_in_plain_text(serve, clock) -> None:
    asker = serve(World.generate(5, mode="test"), limits=DOCUMENTED, clock=clock)
    answers = [asker.get("/klarna_payments") for _ in range(26)]

    assert [answer.status for answer in answers] == [200] * 25 + [429]
    assert answers[-1].headers["Content-Type"].startswith("text/plain")
    assert answers[-1].headers["X-Ratelimit-Remaining"] == "74"
    assert "Retry-After" not in answers[-1].headers


def test_retry_after_and_json_only_when_asked_for(serve, clock) -> None:
    limits = Limits(read_burst=1, retry_after=True, json_body=True)
    asker = serve(limits=limits, clock=clock)
    asker.get("/klarna_payments")
    answer = asker.get("/klarna_payments/unknown")

    assert answer.status == 429
    assert answer.headers["Retry-After"] == "11"
    assert answer.json["errors"][0]["status"] == "429"


def test_a_scaled_time_makes_every_window_shorter(serve, clock) -> None:
    asker = serve(limits=Limits(time_scale=20.0), clock=clock)
    first = [asker.get("/klarna_payments").status for _ in range(51)]
    clock.now = 0.5
    after = asker.get("/klarna_payments")

    assert first == [200] * 50 + [429]
    assert after.status == 200
    assert after.headers["X-Ratelimit-Interval"] == "3"


def test_without_a_limit_there_are_no_headers(serve) -> None:
    assert not [name for name in serve(limits=None).get("/klarna_payments").headers if name.startswith("X-")]


def test_the_token_endpoint_has_its_own_limit(serve, clock) -> None:
    asker = serve(limits=DOCUMENTED, clock=clock)
    statuses = [asker.log_in().status for _ in range(31)]

    assert statuses == [200] * 30 + [429]
    assert asker.get("/klarna_payments").status == 200


def test_a_request_without_a_token_counts_too(serve, clock) -> None:
    asker = serve(limits=DOCUMENTED, clock=clock)
    asker.get("/klarna_payments", Authorization=None)

    assert asker.get("/klarna_payments").headers["X-Ratelimit-Remaining"] == "198"
