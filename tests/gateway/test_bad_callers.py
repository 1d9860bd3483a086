"""Callers that hang up, do not read or make mistakes, and answers that are too large: nobody else is harmed."""

import contextlib
import json
import socket
import threading
import time

import pytest
from apis import ALL, CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, STREAMING
from callers import QUESTION, asking, resident, wait_for


def ask(shared, api, key, **fields):
    """(status, headers, body, upstream calls it took)"""
    gateway, stub = shared
    before = stub.count()
    return *gateway.call(api, QUESTION, key, **fields), stub.count() - before


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_who_hangs_up_costs_the_others_nothing(shared, key, api, stream):
    gateway, stub = shared
    stub.modes, stub.pace = ["paced"] if stream else ["slow"], 0.05
    before, fields = stub.count(), {"stream": True} if stream else {}
    with asking(gateway, api, key, **fields) as leaving:
        wait_for(lambda: stub.count() > before)
        if stream:
            leaving.recv(100)
        others = []
        follower = threading.Thread(target=lambda: others.append(gateway.call(api, QUESTION, key, **fields)))
        follower.start()
        time.sleep(0.1)
    follower.join(20)
    status, headers, body = others[0]
    assert status == 200 and headers["x-sosie-cache"] == "coalesced" and api.text(body, stream).startswith("answer to")
    assert ask(shared, api, key)[3] == 0 and stub.count() == before + 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_an_answer_is_kept_also_when_nobody_is_left(shared, key, api, stream):
    gateway, stub = shared
    stub.modes, stub.pace = ["paced"] if stream else ["slow"], 0.05
    before = stub.count()
    with asking(gateway, api, key, **({"stream": True} if stream else {})) as leaving:
        wait_for(lambda: stub.count() > before)
        if stream:
            leaving.recv(100)
    status, headers, body, calls = ask(shared, api, key)
    assert (status, calls) == (200, 0) and api.said(body).startswith("answer to") and stub.count() == before + 1


def test_a_call_that_nobody_wants_ends_with_its_last_reader(shared, key):
    gateway, stub = shared
    stub.modes, stub.text = ["paced"], " ".join(["word"] * 200)
    try:
        with asking(gateway, CHAT, key, stream=True, temperature=2) as leaving:  # Never kept.
            assert leaving.recv(100)
        wait_for(lambda: gateway.metric("sosie_in_flight") == 1)
        taken = len(stub.calls[-1]["answer"])
        time.sleep(1)
        assert len(stub.calls[-1]["answer"]) <= taken + 2_000
    finally:
        stub.text = None


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_that_reads_a_byte_now_and_then_keeps_nobody_waiting(gateway, upstream, stream):
    upstream.text = " ".join(["word"] * 15_000)  # Less than is kept, far more than sockets hold.
    with asking(gateway, CHAT, size=2_048, stream=stream) as slow:
        assert slow.recv(1) == b"H"
        begin = time.monotonic()
        status, _, body = gateway.call(CHAT, QUESTION, "ann", stream=stream)
        assert status == 200 and CHAT.text(body, stream) == upstream.text
        for number in range(10):
            assert gateway.call(CHAT, f"What is {number}?", "bob")[0] == 200
        assert time.monotonic() - begin < 10
        for byte in b"TTP/1.1 200":
            assert slow.recv(1) == bytes([byte])
            time.sleep(0.05)
    assert len([call for call in upstream.calls if QUESTION.encode() in call["body"]]) == 1


# A gigabyte.


@pytest.mark.parametrize("mode", ["huge", "huge_chunked", "huge_stream"])
def test_a_gigabyte_is_passed_on_and_held_by_nobody(gateway, upstream, mode):
    upstream.huge = 1 << 30
    before = resident(gateway)
    upstream.modes = [mode]
    got, most = 0, 0
    with asking(gateway, CHAT, stream=mode == "huge_stream") as caller:
        caller.settimeout(60)
        buffer = bytearray(1 << 20)
        tail = b""
        while True:
            size = caller.recv_into(buffer)
            if not size:
                break
            tail = (tail + bytes(buffer[max(0, size - 100) : size]))[-100:]
            got += size
            if got % (64 << 20) < size:
                most = max(most, resident(gateway))
            if got > (1 << 30) and (tail.endswith(b"0\r\n\r\n") or (mode == "huge" and tail.endswith(b'"total_tokens": 5}}'))):
                break
    assert got > 1 << 30 and most - before < 64, (got, before, most)
    upstream.keep_answers = True
    status, headers, _ = gateway.call(CHAT, QUESTION, "ann")
    assert (status, headers["x-sosie-cache"]) == (200, "miss")


def test_a_gigabyte_that_nobody_reads(gateway, upstream):
    """The slowest reader sets the pace, and who has left sets none."""
    before = resident(gateway)
    upstream.modes = ["huge_chunked"]
    with asking(gateway, CHAT) as caller:
        caller.recv(100)
        time.sleep(1)
        assert upstream.sent < 64 << 20 and resident(gateway) - before < 64
    taken = upstream.sent
    time.sleep(0.5)
    assert upstream.sent < taken + (64 << 20) and gateway.request("GET", "/healthz")[0] == 200


HELD = 64 << 20  # Bytes that the gateway holds for all of them.


@pytest.mark.parametrize("kind", ["whole", "stream", "hit", "hit as a stream", "longer than is kept"])
def test_three_hundred_who_do_not_read(gateway, upstream, kind):
    """What is held for them has one bound: the upstream waits, the slowest are ended, and who reads gets everything."""
    upstream.keep_answers = False
    upstream.text = " ".join(["w" * 10_000] * 390)  # 3.9 MB: less than is not kept, and more than sockets hold.
    upstream.huge = 8 << 20
    upstream.mode = "huge" if kind == "longer than is kept" else "ok"
    hit, stream = kind.startswith("hit"), kind.endswith("stream")
    if hit:
        gateway.call(CHAT, QUESTION, "ann")
    before = most = resident(gateway)
    with contextlib.ExitStack() as callers:
        for number in range(300):
            callers.enter_context(asking(gateway, CHAT, key="ann" if hit else f"key-{number}", size=2_048, stream=stream))
            if number % 10 == 0:
                most = max(most, resident(gateway))
        wait_for(lambda: hit or upstream.count() == 300, 60)
        status, _, body = gateway.call(CHAT, QUESTION, "ann" if hit else "bob", stream=stream, timeout=60)
        assert status == 200 and len(body) > 3 << 20
        wait_for(lambda: gateway.metric("sosie_held_bytes") <= HELD, 60)
        most = max(most, resident(gateway))
        if hit:
            assert gateway.metric("sosie_slow_readers_ended_total") > 0
    assert most - before < 3 * HELD / (1 << 20), (before, most)
    wait_for(lambda: gateway.metric("sosie_held_bytes") == 0, 60)


def test_events_that_are_not_over_are_held_too(gateway, upstream):
    upstream.huge, upstream.mode = 3 << 20, "huge_event"  # One alone would be kept.
    before = resident(gateway)
    with contextlib.ExitStack() as callers:
        for number in range(200):
            callers.enter_context(asking(gateway, CHAT, key=f"key-{number}", size=2_048, stream=True))
        wait_for(lambda: upstream.count() == 200, 60)
        time.sleep(2)
        assert resident(gateway) - before < 3 * HELD / (1 << 20) and gateway.metric("sosie_held_bytes") < 2 * HELD
        upstream.release.set()


# Who leaves.


@contextlib.contextmanager
def silent_upstream():
    """(URL, accept): an upstream that takes calls and answers none; `accept()` is the next call's connection, its request read."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, contextlib.ExitStack() as calls:
        listener.settimeout(30)

        def accept():
            connection = calls.enter_context(listener.accept()[0])
            connection.settimeout(30)
            seen = b""
            while b"}" not in seen:
                seen += connection.recv(1 << 16)
            return connection

        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", accept


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_call_that_nobody_wants_ends_before_its_first_byte(start_gateway, api, stream):
    with silent_upstream() as (url, accept):
        gateway = start_gateway(url)
        with asking(gateway, api, stream=stream, temperature=2):  # Never kept.
            call = accept()
        assert call.recv(1) == b""
        wait_for(lambda: gateway.metric("sosie_upstream_calls_under_way") == 0)
        assert gateway.metric('sosie_upstream_failures_total{kind="cancelled"}') == 0


def test_callers_that_left_hold_no_place(start_gateway):
    with silent_upstream() as (url, accept):
        gateway = start_gateway(url)
        for number in range(40):
            with asking(gateway, CHAT, text=f"What is {number}?"):
                accept()
        wait_for(lambda: gateway.metric("sosie_connections") == 1 and gateway.metric("sosie_in_flight") == 1)
        with asking(gateway, CHAT, text="What is 0?"):  # A follower, too.
            wait_for(lambda: gateway.metric("sosie_in_flight") == 2)
        wait_for(lambda: gateway.metric("sosie_connections") == 1 and gateway.metric("sosie_in_flight") == 1)
        assert gateway.metric("sosie_upstream_calls_under_way") == 40  # Their answers may be kept.


def test_calls_are_bounded_and_those_for_nobody_give_way(start_gateway, tmp_path):
    settings = tmp_path / "sosie.toml"
    settings.write_text("[server]\nmax_upstream_calls = 2\n")
    with silent_upstream() as (url, accept):
        gateway = start_gateway(url, env={"SOSIE_CONFIG": str(settings)})
        with asking(gateway, CHAT, text="What is one?") as one, asking(gateway, CHAT, text="What is two?") as two:
            calls = [accept(), accept()]
            for api in ALL:
                status, headers, body = gateway.call(api, "What is three?", "ann")
                assert status == 503 and api.is_error(body) and int(headers["retry-after"]) >= 1
            assert gateway.request("POST", "/v1/moderations", {"input": "x"})[0] == 503
            assert gateway.request("GET", "/healthz")[0] == 200
            one.close()
            wait_for(lambda: gateway.metric("sosie_in_flight") == 2)  # The other one, and the asking itself.
            with asking(gateway, CHAT, text="What is three?"):
                accept()
                for call in calls:
                    call.setblocking(False)
                ended = []

                def one_has_ended():
                    for call in calls:
                        with contextlib.suppress(BlockingIOError):
                            if call.recv(1) == b"":
                                ended.append(call)
                    return ended

                wait_for(one_has_ended)
                assert gateway.metric("sosie_upstream_calls_under_way") == 2 and gateway.metric("sosie_in_flight") == 3
                two.close()


# What callers get wrong.

WRONG = {
    CHAT: {
        "stream a word": b'{"model":"m","stream":"yes","messages":[{"role":"user","content":"x"}]}',
        "a key twice": b'{"model":"m","model":"n","messages":[{"role":"user","content":"x"}]}',
        "a key twice in a part": b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","text":"y"}]}]}',
        "a key twice, one escaped": b'{"model":"m","\\u006dodel":"n","messages":[{"role":"user","content":"x"}]}',
        "cache a word": b'{"model":"m","cache":"yes","messages":[{"role":"user","content":"x"}]}',
        "cache twice": b'{"model":"m","cache":{},"cache":{"no-store":true},"messages":[{"role":"user","content":"x"}]}',
        "cache.ttl a word": b'{"model":"m","cache":{"ttl":"long"},"messages":[{"role":"user","content":"x"}]}',
        "cache.no-cache a number": b'{"model":"m","cache":{"no-cache":1},"messages":[{"role":"user","content":"x"}]}',
        "messages missing": b'{"model":"m"}',
    },
    COMPLETIONS: {
        "prompt an object": b'{"model":"m","prompt":{}}',
        "stream a word": b'{"model":"m","prompt":"x","stream":"yes"}',
        "a key twice": b'{"model":"m","prompt":"x","prompt":"y"}',
        "cache a list": b'{"model":"m","prompt":"x","cache":[]}',
    },
    RESPONSES: {
        "input a number": b'{"model":"m","input":5}',
        "stream a word": b'{"model":"m","input":"x","stream":"yes"}',
        "a key twice": b'{"model":"m","input":"x","input":"y"}',
        "cache a number": b'{"model":"m","input":"x","cache":1}',
        "cut": b'{"model":"m","input":"x"',
    },
    MESSAGES: {
        "messages missing": b'{"model":"m","max_tokens":5}',
        "messages a string": b'{"model":"m","max_tokens":5,"messages":"x"}',
        "stream a word": b'{"model":"m","max_tokens":5,"stream":"yes","messages":[{"role":"user","content":"x"}]}',
        "a key twice": b'{"model":"m","max_tokens":5,"system":"a","system":"b","messages":[{"role":"user","content":"x"}]}',
        "a key twice in a turn": b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x","role":"assistant"}]}',
        "cache a word": b'{"model":"m","max_tokens":5,"cache":"yes","messages":[{"role":"user","content":"x"}]}',
        "no JSON": b"hello",
        "a list": b"[]",
        "lone surrogate": b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"\\ud800"}]}',
    },
    EMBEDDINGS: {
        "input missing": b'{"model":"text-embedding-9"}',
        "a key twice": b'{"model":"text-embedding-9","input":"x","input":"y"}',
        "cache a word": b'{"model":"text-embedding-9","input":"x","cache":"yes"}',
        "no JSON": b"{",
    },
}


def mistakes(is_asked):
    """Those whose names `is_asked` holds for, as test parameters."""
    found = [(api, name) for api in ALL for name in WRONG[api] if is_asked(name)]
    return pytest.mark.parametrize("api,name", found, ids=lambda each: repr(each) if each in ALL else each)


def is_ours(name):
    """What is said to the gateway, and what each reader takes in its own way."""
    return name.startswith(("cache", "a key twice"))


def is_named(api, status, body):
    return status == 400 and api.is_error(body) and ("anthropic" in str(json.loads(body)) or json.loads(body)["error"]["type"] == "invalid_request_error")


@mistakes(is_ours)
def test_mistakes_in_what_is_ours_are_named_and_go_no_further(shared, api, name):
    gateway, stub = shared
    before = stub.count()
    status, _, body = gateway.request("POST", api.path, WRONG[api][name], api.headers("ann"))
    assert is_named(api, status, body) and stub.count() == before, body


@mistakes(lambda name: not is_ours(name))
def test_what_cannot_be_read_is_the_upstreams_to_judge(shared, api, name):
    gateway, stub = shared
    said = b'{"error":{"message":"the upstream says so"}}'
    stub.raw[api.path] = b"HTTP/1.1 422 X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(said) + said
    try:
        for _ in range(2):
            before = stub.count()
            status, headers, body = gateway.request("POST", api.path, WRONG[api][name], api.headers("ann"))
            assert (status, body) == (422, said) and (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("bypass", "unreadable_request")
            assert stub.count() == before + 1 and stub.calls[-1]["body"] == WRONG[api][name]
            headers = {**api.headers("ann"), "cache-control": "only-if-cached"}
            status, _, body = gateway.request("POST", api.path, WRONG[api][name], headers)
            assert is_named(api, status, body) and stub.count() == before + 1
    finally:
        del stub.raw[api.path]


def test_mistakes_are_named_where_there_is_nobody_else(start_gateway):
    gateway = start_gateway()
    for api in STREAMING:
        for name, sent in WRONG[api].items():
            status, _, body = gateway.request("POST", api.path, sent, api.headers("ann"))
            assert is_named(api, status, body), (api, name, body)


@pytest.mark.parametrize("headers", [{"x-sosie-threshold": "much"}, {"x-sosie-threshold": "1.5"}, {"x-sosie-cache-control": "max-age=x"}, {"x-sosie-cache-control": "nonsense"}, {"x-sosie-namespace": "x" * 257}, {"x-sosie-foo": "1"}, {"x-sosie-cache": "hit"}])
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_wishes_that_cannot_be_read_are_named(shared, api, headers):
    gateway, stub = shared
    before = stub.count()
    status, _, body = gateway.call(api, QUESTION, "ann", headers=headers)
    assert status == 400 and api.is_error(body) and next(iter(headers)) in body.decode() and stub.count() == before
