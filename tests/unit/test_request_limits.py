"""How often and how long one may ask, and the headers that every answer has."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import psycopg
import pytest

from api.board.breach_notifier import Pulse
from api.board.breaches import EventStream
from api.http.limits import MOST_KEPT, Buckets
from api.http.refusals import TooManyRequests, TooManyStreams, TooManyStreamsOfOne
from infra.settings import Settings
from tests.api_world import Client, FakeService, app_over, fault, served, staff


def limited(**settings: Any) -> FakeService:
    return FakeService(**settings)


def test_a_bucket_gives_a_minutes_tokens_at_once_and_then_evenly() -> None:
    now = [0.0]
    buckets = Buckets(60, lambda: now[0])
    for _ in range(60):
        buckets.take("a")
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("a")
    assert refused.value.retry_after_seconds == 1
    buckets.take("b")
    now[0] = 0.9
    with pytest.raises(TooManyRequests):
        buckets.take("a")
    now[0] = 1.0
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_a_slow_bucket_says_how_long_to_wait_and_an_old_one_is_full_and_no_fuller() -> None:
    now = [0.0]
    buckets = Buckets(2, lambda: now[0])
    buckets.take("a")
    buckets.take("a")
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("a")
    assert refused.value.retry_after_seconds == 30
    now[0] = 100_000.0
    buckets.take("a")
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_buckets_do_not_grow_without_end() -> None:
    buckets = Buckets(1, lambda: 0.0)
    for each in range(MOST_KEPT + 10):
        buckets.take(str(each))
    assert len(buckets._kept) == MOST_KEPT


def test_the_public_is_told_when_to_come_back_and_others_are_not_held_up() -> None:
    app = app_over(limited(public_posts_per_minute=2))
    public, elsewhere = Client(app, proxy_secret=None), Client(app, proxy_secret=None, peer="127.0.0.2")
    sent = [public.post("/api/v1/repairs", fault()) for _ in range(3)]
    assert [each.status_code for each in sent] == [201, 201, 429]
    assert sent[2].json()["code"] == "too-many-requests"
    assert 0 < int(sent[2].headers["retry-after"]) <= 30
    assert public.get("/api/v1/labels").status_code == 200
    assert elsewhere.post("/api/v1/repairs", fault()).status_code == 201
    at_the_hotline = [Client(app).post("/api/v1/repairs", fault(), headers=staff("hotline")) for _ in range(4)]
    assert {each.status_code for each in at_the_hotline} == {201}


def test_queries_are_counted_by_address_beside_commands_and_what_watches_is_not() -> None:
    service = limited(public_queries_per_minute=2)
    app = app_over(service)
    public, elsewhere = Client(app, proxy_secret=None), Client(app, proxy_secret=None, peer="127.0.0.2")
    asked = [public.get("/api/v1/labels") for _ in range(3)]
    assert [each.status_code for each in asked] == [200, 200, 429]
    assert asked[2].json()["code"] == "too-many-requests"
    assert 0 < int(asked[2].headers["retry-after"]) <= 30
    assert elsewhere.get("/api/v1/labels").status_code == 200
    assert public.post("/api/v1/repairs", fault()).status_code == 201, "commands have a bucket of their own"
    assert {Client(app).get("/api/v1/labels", headers=staff("hotline")).status_code for _ in range(5)} == {200}
    service.fails = psycopg.OperationalError("away")  # what this process counts itself is told all the same
    assert {public.get("/metrics").status_code for _ in range(5)} == {200}


def test_queries_of_a_session_are_counted_by_its_actor_wherever_it_comes_from() -> None:
    service = limited(actor_queries_per_minute=2, public_queries_per_minute=1)
    row: dict[str, Any] = {
        "is_machine": False,
        "for_browser": False,
        "is_limited": False,
        "phone_hash": None,
        "by_provider": False,
    }
    row |= {"role": "hotline", "roles": ["hotline"], "crew": None, "squad": None, "districts": [], "scopes": []}
    service.answers["identity_session"] = lambda _: [row | {"actor": "hotline-7", "idle_s": 0, "left_s": 60}]
    app = app_over(service)
    token = {"Authorization": "Bearer token"}
    peers = [Client(app, proxy_secret=None, peer=f"127.0.0.{number}") for number in (1, 2, 3)]
    assert [each.get("/api/v1/labels", headers=token).status_code for each in peers] == [200, 200, 429]
    assert peers[0].get("/api/v1/labels").status_code == 200, "whoever has no session is counted for themselves"


def test_a_trusted_front_end_says_the_addresses_of_its_clients() -> None:
    app = app_over(limited(public_posts_per_minute=1))
    front_end, nobody = Client(app), Client(app, proxy_secret=None)

    def sent(client: Client, said: str) -> int:
        return client.post("/api/v1/repairs", fault(), headers={"X-Forwarded-For": said}).status_code

    assert [sent(front_end, "192.0.2.1"), sent(front_end, "10.0.0.9, 192.0.2.1"), sent(front_end, "192.0.2.2")] == [
        *(201, 429, 201)
    ]
    # Of anybody else it is a word like any other.
    assert [sent(nobody, "192.0.2.3"), sent(nobody, "192.0.2.4")] == [201, 429]


def test_attempts_to_sign_in_are_counted_by_address() -> None:
    client = Client(app_over(limited(sign_ins_per_minute=2)), proxy_secret=None)
    codes = [client.post("/api/v1/session", {}).status_code for _ in range(2)]
    tries = [client.post("/api/v1/session/demo", {"actor": "nobody"}) for _ in range(3)]
    assert codes == [422, 422]
    assert [each.json()["code"] for each in tries[-2:]] == ["too-many-requests"] * 2


def test_the_defaults_are_generous() -> None:
    settings = Settings()
    assert (settings.sign_ins_per_minute, settings.public_posts_per_minute) >= (60, 600)
    assert settings.actor_posts_per_minute >= 6_000
    assert min(settings.actor_queries_per_minute, settings.public_queries_per_minute) >= 6_000
    assert settings.actor_streams_at_most >= 20


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    head = b"POST /api/v1/repairs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with served(app_over(limited(http_body_s=0.05))) as url:
        peer = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
        peer.settimeout(20)
        peer.sendall(head + b"Content-Length: 100\r\n\r\n{")
        answered = peer.recv(64)
        peer.close()
    assert answered.startswith(b"HTTP/1.1 408")


def test_connections_beyond_the_limit_are_turned_away() -> None:
    with served(app_over(limited(http_connections=10))) as url:
        port = int(url.rpartition(":")[2])
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(12)]
        try:
            held[-1].settimeout(20)
            held[-1].sendall(b"GET /api/v1/labels HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert held[-1].recv(64).startswith(b"HTTP/1.1 503")
        finally:
            for each in held:
                each.close()


def test_streams_that_open_at_once_are_no_more_than_may_be_open() -> None:
    async def run() -> tuple[list[int], int]:
        pulse, statuses, release = Pulse(dict, at_most=2), [], asyncio.Event()

        async def never() -> Any:
            yield "retry: 1\n\n"
            await release.wait()

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
        opened = [asyncio.create_task(EventStream(never(), pulse)(dict(scope), receive, send)) for _ in range(5)]
        async with asyncio.timeout(10):
            while len(statuses) < 5:
                await asyncio.sleep(0)
        held = pulse.open_streams
        release.set()
        await asyncio.gather(*opened)
        assert pulse.open_streams == 0
        return sorted(statuses), held

    assert asyncio.run(run()) == ([200, 200, 503, 503, 503], 2)


def test_one_actor_has_so_many_streams_and_leaves_room_for_others() -> None:
    async def run() -> None:
        pulse = Pulse(dict, at_most=4, at_most_each=2)
        with pulse.listening("actor:a"):
            with pulse.listening("actor:a"):
                with pytest.raises(TooManyStreamsOfOne, match="2 open streams"), pulse.listening("actor:a"):
                    pass
                assert TooManyStreamsOfOne(2).retry_after_seconds
                with pulse.listening("actor:b"), pulse.listening():
                    assert pulse.open_streams == 4
                    with pytest.raises(TooManyStreams), pulse.listening("actor:b"):
                        pass
            with pulse.listening("actor:a"):
                assert pulse.open_streams == 2
        assert pulse.open_streams == 0
        assert not pulse._of_each, "who listens no more is forgotten"

    asyncio.run(run())


def test_a_stream_of_somebody_is_counted_as_theirs() -> None:
    """Over HTTP: the demo's visitors are told apart by their addresses."""
    app = app_over(limited(demo=True, actor_streams_at_most=1))

    async def run() -> None:
        with app.state.pulse.listening("address:127.0.0.1"):
            refused = await asyncio.to_thread(
                lambda: Client(app, proxy_secret=None).get("/api/v1/breaches/stream?after=0")
            )
            assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams-of-one")
            assert int(refused.headers["retry-after"]) > 0

    asyncio.run(run())


def test_a_stream_is_counted_in_the_figures() -> None:
    service = FakeService()
    service.fails = psycopg.OperationalError("away")  # what this process counts itself is told all the same
    app = app_over(service)

    async def run() -> str:
        with app.state.pulse.listening():
            return await asyncio.to_thread(lambda: Client(app).get("/metrics").text)

    assert "tongshui_event_streams 1.0" in asyncio.run(run())
    assert "tongshui_event_streams 0.0" in Client(app).get("/metrics").text


def test_every_answer_may_run_nothing_and_be_framed_by_nobody() -> None:
    client = Client(app_over(FakeService()))
    for path in ("/", "/disclosure", "/docs", "/contract", "/static/page.js", "/api/v1/labels", "/nowhere", "/metrics"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer"), path


def test_no_cache_keeps_an_answer_that_holds_a_case() -> None:
    client = Client(app_over(FakeService()))
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    for path in (f"/api/v1/cases/{case_id}", f"/api/v1/repairs/{case_id}", "/api/v1/dispatch", "/api/v1/desk"):
        assert client.get(path).headers["cache-control"] == "no-store", path
    assert client.post("/api/v1/repairs", fault()).headers["cache-control"] == "no-store"
