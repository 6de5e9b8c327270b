"""The token endpoint, and what a token opens."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

from reconcile.sandbox.server import SALES_CHANNEL_ID, SALES_CHANNEL_SECRET
from reconcile.sandbox.world.world import World


def part(token: str, number: int) -> dict:
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_a_token_says_who_until_when_and_which_mode(serve) -> None:
    asker = serve(World.generate(3, mode="test"), wall_clock=lambda: 1_800_000_000.5)
    body = asker.log_in().json
    claims = part(body["access_token"], 1)

    assert {name: body[name] for name in body if name != "access_token"} == {
        "token_type": "bearer",
        "expires_in": 7200,
        "scope": "market:all",
        "created_at": 1_800_000_000,
    }
    assert part(body["access_token"], 0) | {"kid": ""} == {"alg": "RS512", "typ": "JWT", "kid": ""}
    assert claims["test"] is True
    assert claims["exp"] - claims["iat"] == 7200
    assert claims["organization"]["slug"] == "sandbox"
    assert claims["application"]["kind"] == "integration"
    assert claims["iss"] == "https://auth.commercelayer.io"


def test_a_form_is_as_good_as_json(serve) -> None:
    asker = serve()
    fields = {
        "grant_type": "client_credentials",
        "client_id": asker.server.client_id,
        "client_secret": asker.server.client_secret,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    assert asker.send("POST", "/oauth/token", urlencode(fields).encode(), headers).status == 200


@pytest.mark.parametrize("changes", [{"client_secret": "wrong"}, {"client_id": "unknown"}])
def test_a_wrong_client_is_a_401_with_a_number_for_status(serve, changes) -> None:
    answer = serve().log_in(**changes)

    assert answer.status == 401
    error = answer.json["errors"][0]
    assert (error["title"], error["code"], error["status"]) == ("invalid_client", "UNAUTHORIZED", 401)


def test_another_grant_is_a_400(serve) -> None:
    assert serve().log_in(grant_type="password").status == 400


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic abc"])
def test_without_a_good_token_nothing_is_answered(serve, authorization) -> None:
    answer = serve().get("/klarna_payments", Authorization=authorization)

    assert (answer.status, answer.code) == (401, "INVALID_TOKEN")


def test_a_token_dies_when_it_says(serve) -> None:
    now = [1000.0]
    asker = serve(token_lifetime_seconds=100, clock=lambda: now[0])
    asker.log_in()
    now[0] += 99.5
    before = asker.get("/klarna_payments")
    now[0] += 0.5
    after = asker.get("/klarna_payments")

    assert before.status == 200
    assert (after.status, after.code) == (401, "INVALID_TOKEN")


def test_a_sales_channel_may_not_list(serve) -> None:
    asker = serve()
    asker.log_in(client_id=SALES_CHANNEL_ID, client_secret=SALES_CHANNEL_SECRET)
    answer = asker.get("/klarna_payments")

    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


def test_a_canary_is_in_every_credential_and_nowhere_else(serve) -> None:
    asker = serve(World.generate(30), canary="canary-4711")
    document = asker.get("/klarna_payments", {"page[size]": "25", "include": "order"}).json
    attributes = [resource["attributes"] for resource in document["data"]]
    sparse = asker.get("/klarna_payments", {"fields[klarna_payments]": "reference"})

    assert all("canary-4711" in one["client_token"] and "canary-4711" in one["auth_token"] for one in attributes)
    assert json.dumps(document).count("canary-4711") == 50
    assert b"canary-4711" not in sparse.body


def test_requests_are_recorded_without_secrets(serve) -> None:
    asker = serve()
    asker.get("/klarna_payments", {"page[size]": "5"})
    token, listed = asker.server.requests

    assert (token.method, token.path, token.status, token.authorized) == ("POST", "/oauth/token", 200, False)
    assert (listed.path, listed.query, listed.authorized) == ("/api/klarna_payments", {"page[size]": "5"}, True)
    assert asker.token not in repr(asker.server.requests)
    assert listed.body_bytes > 1000
