"""The history of a payment: both shapes of the trail, the cursor, what is refused, and no credential in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.commercelayer.trail import (
    NOT_SHOWN,
    Event,
    ResourceType,
    decode_events,
    events_params,
    next_cursor,
    read_history,
)
from reconcile.errors import AuthError, CommerceLayerError, IncompletePull, Refused, UnknownPayment
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.server import SALES_CHANNEL_ID, SALES_CHANNEL_SECRET, SandboxServer
from reconcile.sandbox.world.world import World


def page(*attributes: dict[str, Any], following: str | None = None) -> bytes:
    rows = [{"id": f"{n}-0", "type": "event_stores", "attributes": one} for n, one in enumerate(attributes)]
    links = {"next": following} if following else {}
    return json.dumps({"data": rows, "meta": {}, "links": links}).encode()


def event(**attributes: Any) -> dict[str, Any]:
    return {"created_at": "2026-01-02T03:04:05.678Z", "event": "update", **attributes}


def client_of(server: SandboxServer, **credentials: str) -> CommerceLayer:
    return CommerceLayer(
        api_url=server.api_url,
        auth_url=server.auth_url,
        credentials=Credentials(
            credentials.get("id", server.client_id), credentials.get("secret", server.client_secret)
        ),
        rate_limit=False,
        first_retry_seconds=0.01,
    )


async def history_of(client: CommerceLayer, id_: str, resource_type: ResourceType = "klarna_payments") -> list[Event]:
    await client.authenticate()
    return await read_history(client.get, resource_type, id_)


def busy(world: World) -> str:
    """A payment of `world` with more changes than a page has events."""
    payment_id = world.payment_ids()[2]
    for number in range(60):
        world.update(payment_id, reference=f"R{number}")
    return payment_id


@pytest.mark.parametrize(
    "attributes",
    [
        {"payload": {"status": {"from": "placed", "to": "approved"}}},
        {"payload": {"status": ["placed", "approved"]}},
        {"changes": {"status": ["placed", "approved"]}},
    ],
    ids=["recorded", "as in the schema", "version"],
)
def test_every_known_shape_of_a_change_is_read(attributes: dict[str, Any]) -> None:
    (found,) = decode_events(page(event(**attributes)))

    assert found.changes == {"status": ("placed", "approved")}
    assert found.at == datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    assert (found.event, found.who) == ("update", None)


def test_a_list_of_two_values_after_nothing_is_told_as_it_stands() -> None:
    (found,) = decode_events(
        page(event(payload={"a": "new", "b": ["one", "two", "three"], "c": {"from": 1, "to": None}}))
    )

    assert found.changes == {"a": (None, "new"), "b": (None, ["one", "two", "three"]), "c": (1, None)}


def test_credentials_come_out_nowhere() -> None:
    inner = {"client_token": "canary", "auth_token": "canary", "session_id": "s"}
    payload = {
        "client_token": {"from": None, "to": "canary"},
        "auth_token": [None, "canary"],
        "whole": {"from": {}, "to": inner},
    }

    (found,) = decode_events(page(event(payload=payload)))

    assert found.changes == {"whole": ({}, {"session_id": "s"})}


@pytest.mark.parametrize(
    "name", ["token", "client_token", "checkout_access_token", "customer_password", "gift_card_code"]
)
def test_whatever_opens_something_is_left_out_by_its_name(name: str) -> None:
    (found,) = decode_events(page(event(payload={name: [None, "canary"], "status": ["draft", "pending"]})))

    assert found.changes == {"status": ("draft", "pending")}


def test_of_what_is_personal_only_the_change_is_kept() -> None:
    payload = {
        "customer_email": {"from": None, "to": "fran@example.com"},
        "payment_instrument": [{"card_last_digits": "4242"}, None],
        "order": [None, {"metadata": {"name": "Fran"}, "number": "1"}],
    }

    (found,) = decode_events(page(event(payload=payload)))

    assert found.changes == {
        "customer_email": (None, NOT_SHOWN),
        "payment_instrument": (NOT_SHOWN, None),
        "order": (None, {"metadata": NOT_SHOWN, "number": "1"}),
    }


@pytest.mark.parametrize("behind", ["?accessToken=canary&x=1", "#canary", "?a\n#canary"])
def test_an_address_is_kept_without_what_may_open_it(behind: str) -> None:
    address = "https://shop.example/checkout/1"
    (found,) = decode_events(page(event(payload={"checkout_url": [address, address + behind]})))

    assert found.changes == {"checkout_url": (address, f"{address}…")}


def test_numbers_with_a_fraction_are_exact() -> None:
    (found,) = decode_events(page(event(payload={"tax_rate": [0.1, 0.2]})).replace(b"0.2", b"0.20"))

    assert [str(rate) for rate in found.changes["tax_rate"]] == ["0.1", "0.20"]


def test_who_is_told_by_kind_and_id_without_names_and_addresses() -> None:
    owner = {"id": "o1", "type": "User", "email": "fran@example.com", "first_name": "Fran"}
    events = decode_events(
        page(
            event(who={"application": {"id": "a1", "kind": "integration"}, "owner": owner}),
            event(who={"worker": {"id": "w1", "type": "KlarnaPaymentWorker"}}),
            event(who={"something": 1}),
        )
    )

    assert [one.who for one in events] == ["integration a1, User o1", "KlarnaPaymentWorker w1", None]


def test_only_the_cursor_is_taken_from_the_next_link() -> None:
    following = "https://elsewhere.example/api/x?page%5Bafter%5D=MTc%3D%2Bx&page%5Bsize%5D=5"

    assert next_cursor(page(event(), following=following)) == "MTc=+x"
    assert next_cursor(page(event())) is None
    assert events_params("MTc=+x") == {"page[size]": "25", "page[after]": "MTc=+x"}


@pytest.mark.parametrize("body", [page(event(), following="https://x.example/?page=2"), b"{}", b"[1"])
def test_what_has_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(CommerceLayerError, match="does not have the documented shape"):
        next_cursor(body)


@pytest.mark.parametrize("depth", [10, 700, 3000])
def test_a_value_that_is_nested_too_deeply_is_an_error_of_the_family(depth: int) -> None:
    body = page(event(payload={"notes": ["x", None]})).replace(b'"x"', b"[" * depth + b"]" * depth)

    try:  # how deep is too deep differs with the version of Python
        assert len(decode_events(body)) == 1
    except CommerceLayerError as error:
        assert depth > 10
        assert "does not have the documented shape" in error.message


async def test_all_events_come_oldest_first_over_several_pages() -> None:
    world = World.generate(10)
    payment_id = busy(world)
    with SandboxServer(world, Behaviour(limits=None)) as server:
        async with client_of(server) as client:
            events = await history_of(client, payment_id)

        asked = [request.path for request in server.requests if request.path.endswith("/event_stores")]

    assert events[0].event == "create"
    assert [one.at for one in events] == sorted(one.at for one in events)
    assert events[-1].changes["reference"] == ("R58", "R59")
    assert sum("reference" in one.changes and one.event == "update" for one in events) >= 60
    assert len(asked) == -(-len(events) // 25) >= 3


async def test_old_deployments_tell_by_versions() -> None:
    world = World.generate(10)
    payment_id = busy(world)
    with SandboxServer(world, Behaviour(limits=None, event_stores=False)) as server:
        async with client_of(server) as client:
            events = await history_of(client, payment_id)

    assert events[-1].changes["reference"] == ("R58", "R59")
    assert len(events) >= 60
    assert all(one.event == "update" for one in events)


@pytest.mark.parametrize("event_stores", [True, False])
async def test_a_payment_that_is_not_there_is_named(event_stores: bool) -> None:
    with SandboxServer(World.generate(10), Behaviour(limits=None, event_stores=event_stores)) as server:
        async with client_of(server) as client:
            with pytest.raises(UnknownPayment, match="there is no payment no/body") as caught:
                await history_of(client, "no/body")

    assert caught.value.payment_ids == ("no/body",)


async def test_an_order_has_a_history_too() -> None:
    world = World.generate(10)
    order_id = world.payments.row(2)["order_id"]
    for number in range(30):
        world.update_order(order_id, total_amount_with_taxes_cents=number)
    with SandboxServer(world, Behaviour(limits=None)) as server:
        async with client_of(server) as client:
            events = await history_of(client, order_id, "orders")
            with pytest.raises(Refused, match="there is no order nobody"):
                await history_of(client, "nobody", "orders")

    assert events[0].changes["status"] == (None, "draft")
    assert events[-1].changes["total_amount_with_taxes_cents"] == (28, 29)


async def test_both_lists_refused_is_one_error_with_both_reasons() -> None:
    world = World.generate(10)
    with SandboxServer(world, Behaviour(limits=None)) as server:
        async with client_of(server, id=SALES_CHANNEL_ID, secret=SALES_CHANNEL_SECRET) as client:
            with pytest.raises(Refused) as caught:
                await history_of(client, world.payment_ids()[0])

    assert "event_stores: status 401" in str(caught.value)
    assert "versions: status 401" in str(caught.value)
    assert "integration" in (caught.value.hint or "")


async def test_wrong_credentials_are_no_refusal_of_a_list() -> None:
    world = World.generate(10)
    with SandboxServer(world, Behaviour(limits=None)) as server:
        async with client_of(server, secret="wrong") as client:
            with pytest.raises(AuthError, match="oauth/token"):
                await history_of(client, world.payment_ids()[0])


@pytest.mark.parametrize("fault", ["5xx", "reset-body", "truncate", "html", "revoke"])
async def test_what_mends_itself_changes_nothing(fault: str) -> None:
    world = World.generate(10)
    payment_id = busy(world)
    with SandboxServer(world, Behaviour(limits=None)) as undisturbed:
        async with client_of(undisturbed) as client:
            expected = await history_of(client, payment_id)
    for number in (1, 2, 3):
        with SandboxServer(world, Behaviour(limits=None, faults=Faults.parse(f"{fault}:#{number}"))) as server:
            async with client_of(server) as client:
                assert await history_of(client, payment_id) == expected, number


async def test_no_credential_of_klarna_is_in_a_history() -> None:
    world = World.generate(10)
    with SandboxServer(world, Behaviour(limits=None, canary="canary-in-tokens")) as server:
        async with client_of(server) as client:
            histories = [await history_of(client, id_) for id_ in world.payment_ids()]

    assert all(histories)
    assert "canary" not in repr(histories)


@pytest.fixture
async def serve_pages() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that serves a token and event stores as given, and gives the address."""
    runners: list[web.AppRunner] = []

    async def start(
        answer: Callable[[web.Request], web.Response], versions: Callable[[web.Request], web.Response] | None = None
    ) -> str:
        async def token(request: web.Request) -> web.Response:
            return web.json_response({"access_token": "token", "token_type": "bearer", "expires_in": 7200})

        async def events(request: web.Request) -> web.Response:
            return answer(request)

        app = web.Application()
        app.router.add_post("/oauth/token", token)

        async def older(request: web.Request) -> web.Response:
            return (versions or answer)(request)

        app.router.add_get("/api/klarna_payments/{id}/event_stores", events)
        app.router.add_get("/api/klarna_payments/{id}/versions", older)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_no_versions_say_nothing_where_event_stores_are_forbidden(serve_pages: Callable[..., Any]) -> None:
    url = await serve_pages(
        lambda request: web.Response(status=403),
        versions=lambda request: web.Response(body=page(), content_type="application/vnd.api+json"),
    )

    credentials = Credentials("an id", "a secret")
    async with CommerceLayer(api_url=url, auth_url=url, credentials=credentials, rate_limit=False) as client:
        with pytest.raises(Refused, match=r"cannot be read: GET .*event_stores: status 403") as caught:
            await history_of(client, "XAyRWNUzyN")

    assert caught.value.status == 401


async def test_a_cursor_that_does_not_move_ends_in_an_error(serve_pages: Callable[..., Any]) -> None:
    answer = page(event(), following="https://x.example/?page%5Bafter%5D=same")
    url = await serve_pages(lambda request: web.Response(body=answer, content_type="application/vnd.api+json"))

    async with CommerceLayer(api_url=url, auth_url=url, credentials=Credentials("i", "s"), rate_limit=False) as client:
        with pytest.raises(IncompletePull, match="does not move on"):
            await history_of(client, "XAyRWNUzyN")


async def test_a_history_without_end_is_not_read_to_it(
    serve_pages: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.commercelayer.trail._MOST_EVENTS", 50)
    numbers = iter(range(10**9))

    def answer(_: web.Request) -> web.Response:
        body = page(*[event() for _ in range(25)], following=f"https://x.example/?page%5Bafter%5D={next(numbers)}")
        return web.Response(body=body, content_type="application/vnd.api+json")

    url = await serve_pages(answer)
    async with CommerceLayer(api_url=url, auth_url=url, credentials=Credentials("i", "s"), rate_limit=False) as client:
        with pytest.raises(IncompletePull, match="does not move on"):
            await history_of(client, "XAyRWNUzyN")
