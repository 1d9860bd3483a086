"""Everything that can go wrong with an upstream or the store, for every API: a clear answer to who asked, nothing kept that is not
whole, and nobody else harmed."""

import http.client
import json
import socket
import sqlite3
import time

import pytest
from apis import ALL, CHAT, COMPLETIONS, CONVERSATIONS, EMBEDDINGS, RESPONSES, STREAMING, events_of
from callers import QUESTION, at_once, wait_for
from conftest import Gateway
from stub_upstream import StubUpstream
from stub_upstream.server import APIS

# How the upstream misbehaves, and what the caller gets.
PLAIN = {
    "drop": 502,
    "garbage": 502,
    "half": 502,
    "half_chunk": 502,
    "half_json": 200,
    "short_length": 200,
    "error_in_200": 200,
    "encoded": 200,
    "gzip": 200,
    "500": 500,
    "503": 503,
    "529": 529,
    "401": 401,
    "429": 429,
    "length": 200,
    "content_filter": 200,
}
FILTERED = {"length", "content_filter"}


def ask(shared, api, key, **fields):
    """(status, headers, body, upstream calls it took)"""
    gateway, stub = shared
    before = stub.count()
    return *gateway.call(api, QUESTION, key, **fields), stub.count() - before


def nothing_was_kept(shared, api, key, stream=False):
    fields = {"stream": True} if stream else {}
    status, headers, body, calls = ask(shared, api, key, **fields)
    assert (status, headers["x-sosie-cache"], calls) == (200, "miss", 1)
    assert api is EMBEDDINGS or api.text(body, stream).startswith(f"answer to {QUESTION} for {key} #")
    assert ask(shared, api, key, **fields)[3] == 0  # And then it is.


@pytest.mark.parametrize("mode", PLAIN)
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_plain_answers(shared, key, api, mode):
    if api is EMBEDDINGS and mode in FILTERED:
        pytest.skip("embeddings have no such thing")
    stub = shared[1]
    stub.modes = [mode]
    status, headers, body, calls = ask(shared, api, key)
    assert (status, calls) == (PLAIN[mode], 1)
    if status >= 400:
        assert api.is_error(body)
        assert headers.get("x-should-retry") == ("false" if status == 502 else None)
    if mode == "429":
        assert headers["retry-after"] == "7" and b"slow down" in body
    assert "stored" not in headers["cache-status"]
    nothing_was_kept(shared, api, key)


STREAMS = {"drop": 502, "garbage": 502, "500": 500, "429": 429, "error_in_200": 200, "bad_sse": 200, "no_done": 200, "length": 200, "content_filter": 200}


@pytest.mark.parametrize("mode", STREAMS)
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_streams_that_are_not_kept(shared, key, api, mode):
    stub = shared[1]
    stub.modes = [mode]
    status, headers, body, calls = ask(shared, api, key, stream=True)
    assert (status, calls) == (STREAMS[mode], 1)
    if status >= 400:
        assert api.is_error(body)
    if mode == "no_done":  # For chat all is said; elsewhere the end says something itself.
        assert (b"error" in body) == (api is RESPONSES) and not api.has_end(events_of(body))
    nothing_was_kept(shared, api, key, stream=True)


@pytest.mark.parametrize("mode", ["cut", "cut_clean"])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_stream_that_breaks_off_ends_in_an_error_event(shared, key, api, mode):
    shared[1].modes = [mode]
    status, _, body, _ = ask(shared, api, key, stream=True)
    events = events_of(body)
    assert status == 200 and len(events) > 2 and api.is_error_event(events[-1]) and not api.has_end(events)
    nothing_was_kept(shared, api, key, stream=True)
    assert ask(shared, api, key)[3] == 0


@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_an_error_of_the_upstreams_in_its_stream_is_passed_on(shared, key, api):
    shared[1].modes = ["error_event"]
    status, _, body, _ = ask(shared, api, key, stream=True)
    events = events_of(body)
    assert status == 200 and any(api.is_error_event(event) and "stub overloaded" in json.dumps(event) for event in events) and not api.has_end(events)
    nothing_was_kept(shared, api, key, stream=True)


@pytest.mark.parametrize("ending", ["clean", "cut"])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_an_error_of_the_upstreams_is_the_last_word(shared, key, api, ending):
    """Whatever comes behind it: the caller hears of one error, in the upstream's own bytes."""
    stub = shared[1]
    error = APIS[api.path][2]("stub overloaded")
    length = len(error) + (100 if ending == "cut" else 0)
    stub.raw[api.path] = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length + error
    try:
        status, _, body, _ = ask(shared, api, key, stream=True)
    finally:
        del stub.raw[api.path]
    assert status == 200 and body == error
    nothing_was_kept(shared, api, key, stream=True)


@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_long_answer_that_is_no_stream_and_breaks_off_is_seen_to_break_off(shared, key, api):
    stub = shared[1]
    begun = b'{"id": "' + b"x" * (5 << 20)  # More than is kept, so that it is passed on as it comes.
    stub.raw[api.path] = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (6 << 20) + begun
    try:
        with pytest.raises(http.client.IncompleteRead) as cut:
            ask(shared, api, key, stream=True)
    finally:
        del stub.raw[api.path]
    assert cut.value.partial == begun
    nothing_was_kept(shared, api, key, stream=True)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_long_stream_that_breaks_off_has_its_error_where_an_event_may_stand(shared, key, api, inside):
    stub = shared[1]
    whole = b'data: {"type": "ping", "choices": []}\n\n' * (5 << 15)
    begun = whole + (b'data: {"ty' if inside else b"")
    event_by_event = api in (CHAT, COMPLETIONS)  # To the end, since the event with the usage may have to be taken out.
    stub.raw[api.path] = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (20 << 20) + begun
    try:
        if inside and not event_by_event:
            with pytest.raises(http.client.IncompleteRead) as cut:
                ask(shared, api, key, stream=True)
            assert cut.value.partial == begun
        else:
            body = ask(shared, api, key, stream=True)[2]
            assert body.startswith(whole) and api.is_error_event(events_of(body[len(whole) :])[0])
    finally:
        del stub.raw[api.path]
    nothing_was_kept(shared, api, key, stream=True)


@pytest.mark.parametrize("mode", ["trailers", "slow_bytes", "until_close"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_odd_but_whole(shared, key, api, stream, mode):
    shared[1].modes = [mode]
    status, _, body, _ = ask(shared, api, key, stream=stream)
    assert status == 200 and (said := api.text(body, stream)).startswith("answer to")
    status, headers, body, calls = ask(shared, api, key)
    assert (status, headers["x-sosie-cache"], calls) == (200, "hit", 0) and api.said(body) == said


def test_bytes_behind_an_answer_are_nobodys(gateway, upstream):
    """The rest of an answer longer than it said must not become the next one's."""
    upstream.text = None
    for number in range(20):
        upstream.modes = ["short_length"]
        gateway.call(CHAT, QUESTION, f"ann-{number}")
        status, _, body = gateway.call(CHAT, QUESTION, f"bob-{number}")
        assert status == 200 and CHAT.said(body).startswith(f"answer to {QUESTION} for bob-{number} ")


# Silence.


@pytest.fixture(scope="module")
def impatient_pair(sosie_bin, tmp_path_factory):
    """(gateway, stub), as `shared`; the gateway waits for nothing longer than a second."""
    folder = tmp_path_factory.mktemp("impatient")
    (folder / "sosie.toml").write_text('[gateway]\nfollow_timeout = "700ms"\n')
    stub = StubUpstream()
    stub.text = None
    started = Gateway(sosie_bin, folder, stub.url, {"SOSIE_CONFIG": str(folder / "sosie.toml")}, ("--upstream-timeout", "1s"))
    yield started, stub
    code, errors = started.stop(), started.errors()
    stub.close()
    assert code == 0, errors


@pytest.fixture
def impatient(impatient_pair, key):
    """`impatient_pair`, whose upstream is not left alone because of what went wrong before."""
    assert impatient_pair[0].call(CHAT, "Are you there?", key)[0] == 200
    yield impatient_pair
    impatient_pair[1].delay = 0.0


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_an_upstream_that_says_nothing(impatient, key, api):
    gateway, stub = impatient
    for mode in ("hang", "hang_body"):
        stub.modes = [mode]
        begin = time.monotonic()
        status, headers, body = gateway.call(api, QUESTION, key)
        assert status == 504 and api.is_error(body) and headers["x-should-retry"] == "false" and time.monotonic() - begin < 4
    nothing_was_kept(impatient, api, key)


@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_stream_that_stalls(impatient, key, api):
    gateway, stub = impatient
    stub.modes = ["stall"]
    begin = time.monotonic()
    status, _, body = gateway.call(api, QUESTION, key, stream=True)
    events = events_of(body)
    assert status == 200 and api.is_error_event(events[-1]) and not api.has_end(events) and time.monotonic() - begin < 4
    nothing_was_kept(impatient, api, key, stream=True)


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_an_upstream_that_refuses(start_gateway, api):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gateway = start_gateway(f"http://127.0.0.1:{port}/v1")
    for stream in (False, True)[: 1 if api is EMBEDDINGS else 2]:
        fields = {} if api is EMBEDDINGS else {"stream": stream}
        status, headers, body = gateway.call(api, QUESTION, "ann", **fields)
        assert status == 502 and api.is_error(body) and headers["x-sosie-cache"] == "miss" and "x-should-retry" not in headers
    for _ in range(5):
        status, headers, body = gateway.call(api, QUESTION, "ann")
    assert status == 503 and api.is_error(body) and int(headers["retry-after"]) >= 1  # Left alone for a moment.


@pytest.mark.parametrize("mode", ["drop", "half", "500", "429", "hang", "hang_body", "half_json"])
@pytest.mark.parametrize("api", CONVERSATIONS, ids=repr)
def test_the_first_ones_failure_is_not_the_others(impatient, key, api, mode):
    gateway, stub = impatient
    before, stub.modes, stub.delay = stub.count(), [mode], 0.15
    answers = at_once([lambda: gateway.call(api, QUESTION, key) for _ in range(6)])
    said = [api.said(body) for status, _, body in answers if status == 200 and body.endswith(b"}")]
    whole = [text for text in said if text.startswith("answer to")]
    assert len(whole) >= 5 and len(set(whole)) <= 2, [answer[0] for answer in answers]
    assert stub.count() - before <= 3
    status, headers, body = gateway.call(api, QUESTION, key)
    assert headers["x-sosie-cache"] == "hit" and api.said(body) in whole


@pytest.mark.parametrize("mode", ["drop", "500", "hang"])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_the_first_ones_failed_stream_is_not_the_others(impatient, key, api, mode):
    gateway, stub = impatient
    before, stub.modes, stub.delay = stub.count(), [mode], 0.15
    answers = at_once([lambda: gateway.call(api, QUESTION, key, stream=True) for _ in range(6)])
    whole = [api.streamed(body) for status, _, body in answers if status == 200]
    assert len(whole) >= 5 and all(text.startswith("answer to") for text in whole) and stub.count() - before <= 3


# The store.


@pytest.mark.parametrize("fault", ["hangs", "is down"])
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_requests_go_on_while_the_store(start_gateway, upstream, redis_server, tmp_path, api, fault):
    redis = redis_server()
    config = tmp_path / "sosie.toml"
    config.write_text('[store]\ncommand_timeout = "200ms"\nconnect_timeout = "200ms"\n')
    gateway = start_gateway(upstream.url, "--store", redis.url, env={"SOSIE_CONFIG": str(config)})
    assert [gateway.call(api, QUESTION, "ann")[1]["x-sosie-cache"] for _ in range(2)] == ["miss", "hit"]
    redis.stop_answering() if fault == "hangs" else redis.kill()
    words, begin = [], time.monotonic()
    for number in range(8):
        for stream in (False, True)[: 1 if api is EMBEDDINGS else 2]:
            fields = {} if api is EMBEDDINGS else {"stream": stream}
            asked = time.monotonic()
            status, headers, body = gateway.call(api, f"What is written in line {number}?", "ann", **fields)
            assert status == 200 and time.monotonic() - asked < 3 and (api is EMBEDDINGS or api.text(body, stream) == upstream.text)
            words.append(headers["x-sosie-cache"])
    assert set(words) <= {"error", "hit", "miss"} and "error" in words, words
    assert time.monotonic() - begin < 10
    redis.answer_again() if fault == "hangs" else redis.start()
    wait_for(lambda: gateway.call(api, QUESTION, "ann")[1]["x-sosie-cache"] == "hit", 30)


def test_an_answer_that_the_store_does_not_take_is_given_all_the_same(start_gateway, upstream, tmp_path):
    gateway = start_gateway(upstream.url, data=tmp_path)
    assert gateway.ask("First")[0] == 200
    blocker = sqlite3.connect(tmp_path / "sosie.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        for number in range(5):
            begin = time.monotonic()
            assert gateway.ask(f"What is written in line {number}?")[0] == 200 and time.monotonic() - begin < 1
    finally:
        blocker.close()
