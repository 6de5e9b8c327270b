"""Tokens and failures: when to ask again, how long to wait, when to give up."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from reconcile.commercelayer.document import BrokenBody
from reconcile.commercelayer.sending.auth import (
    Claims,
    Credentials,
    Token,
    TokenKeeper,
    claims_of,
    token_from_answer,
    token_request,
)
from reconcile.commercelayer.sending.retry import Cause, RetryPolicy, may_repeat, mends_itself


def jwt(payload: object) -> str:
    return "e30." + base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=") + ".x"


def test_the_secret_is_in_the_request_and_in_no_repr() -> None:
    credentials = Credentials("id", "hush")

    assert b"hush" in token_request(credentials, scope="market:all")
    assert "hush" not in repr(credentials)
    assert "hush" not in repr(token_from_answer(b'{"access_token":"hush"}', asked_at=0))


@pytest.mark.parametrize(
    ("token", "claims"),
    [
        (
            jwt({"organization": {"slug": "shop"}, "application": {"kind": "integration"}, "test": True, "exp": 1}),
            Claims("shop", "test", "integration", None),
        ),
        (jwt({"test": False}), Claims(mode="live")),
        (jwt({}), Claims()),
        (jwt([]), Claims()),
        ("opaque", Claims()),
        ("a.%%%.c", Claims()),
        ("a..c", Claims()),
    ],
)
def test_claims_are_read_where_there_are_any(token: str, claims: Claims) -> None:
    assert claims_of(token) == claims


@pytest.mark.parametrize(("lifetime", "renew_at"), [(7200, 7140.0), (10, 9.0), (1, 0.9)])
def test_a_token_is_renewed_before_it_expires(lifetime: int, renew_at: float) -> None:
    token = token_from_answer(json.dumps({"access_token": "x", "expires_in": lifetime}).encode(), asked_at=0.0)

    assert token.renew_at == pytest.approx(renew_at)
    assert token.expires_at == lifetime


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"access_token":1}'])
def test_an_answer_without_a_token_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenBody):
        token_from_answer(body, asked_at=0.0)


class Desk:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0

    async def ask(self) -> Token:
        self.asked += 1
        await asyncio.sleep(0)
        return Token(f"token-{self.asked}", Claims(), self.now + 90, self.now + 100)


async def test_many_walkers_ask_for_one_token() -> None:
    desk = Desk()
    keeper = TokenKeeper(desk.ask, clock=lambda: desk.now)

    first = await asyncio.gather(*(keeper.token() for _ in range(20)))
    renewed = await asyncio.gather(*(keeper.token(refused=first[0]) for _ in range(20)))
    desk.now = 95.0
    last = await keeper.token()

    assert {token.value for token in first} == {"token-1"}
    assert {token.value for token in renewed} == {"token-2"}
    assert (last.value, desk.asked) == ("token-3", 3)


async def test_a_request_that_was_refused_an_old_token_does_not_renew_the_new_one() -> None:
    desk = Desk()
    keeper = TokenKeeper(desk.ask, clock=lambda: desk.now)
    old = await keeper.token()
    new = await keeper.token(refused=old)

    assert await keeper.token(refused=old) is new


@pytest.mark.parametrize(
    ("status", "cause"),
    [(429, "rate_limited"), (500, "server_error"), (503, "server_error"), (408, "timeout"), (404, None), (301, None)],
)
def test_only_some_statuses_mend_themselves(status: int, cause: Cause | None) -> None:
    assert mends_itself(status) == cause


@pytest.mark.parametrize("cause", ["timeout", "reset", "server_error", "broken_body"])
def test_a_write_is_not_repeated_where_it_may_have_had_an_effect(cause: Cause) -> None:
    assert may_repeat("GET", cause)
    assert not may_repeat("PATCH", cause)


@pytest.mark.parametrize("cause", ["connect", "rate_limited", "token_renewed"])
def test_a_write_that_surely_had_no_effect_is_repeated(cause: Cause) -> None:
    assert may_repeat("PATCH", cause)


def wait(attempt: int, elapsed: float = 0.0, after: float | None = None, cause: Cause = "reset") -> float | None:
    policy = RetryPolicy(budget_seconds=60, first_seconds=1, longest_seconds=8)
    return policy.wait_seconds(
        cause, attempt=attempt, elapsed_seconds=elapsed, retry_after_seconds=after, chance=lambda: 1.0
    )


def test_waits_double_up_to_the_longest_and_stop_at_the_budget() -> None:
    assert [wait(attempt) for attempt in (1, 2, 3, 4, 5, 99)] == [1, 2, 4, 8, 8, 8]
    assert wait(4, elapsed=52) == 8
    assert wait(4, elapsed=53) is None


def test_retry_after_is_honoured_unless_the_budget_does_not_reach_it() -> None:
    assert wait(1, after=30) == 30
    assert wait(1, after=61) is None
    assert wait(1, after=30, cause="rate_limited") == 0  # the limiter waits, for all
    assert wait(1, after=61, cause="rate_limited") is None


def test_chance_halves_a_wait_at_most() -> None:
    policy = RetryPolicy(first_seconds=1)

    waits = [
        policy.wait_seconds("reset", attempt=1, elapsed_seconds=0, retry_after_seconds=None, chance=lambda c=c: c)
        for c in (0.0, 0.5)
    ]

    assert waits == [0.5, 0.75]
