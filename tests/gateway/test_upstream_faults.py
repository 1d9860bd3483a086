"""An upstream that refuses, hangs, lies or breaks off: the client gets a clear answer, and the cache nothing."""

import json
import socket
import time

import openai
import pytest

QUESTION = "How do I reset my password?"


def is_error(body):
    return set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


def nothing_was_stored(gateway, upstream):
    calls = len(upstream.calls)
    upstream.mode = "ok"
    status, headers, _ = gateway.ask(QUESTION)
    assert (status, headers["x-sosie-cache"]) == (200, "miss") and len(upstream.calls) == calls + 1


def test_refused(start_gateway):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gateway = start_gateway(f"http://127.0.0.1:{port}/v1")
    status, headers, body = gateway.ask(QUESTION)
    assert status == 502 and is_error(body) and headers["x-sosie-cache"] == "miss"
    assert "x-should-retry" not in headers and int(headers["retry-after"]) >= 1  # nobody has the call
    assert gateway.metric('sosie_upstream_failures_total{kind="connect"}') == 1


@pytest.mark.parametrize("headers, status, code", [({}, 503, "no_upstream"), ({"x-sosie-cache-control": "only-if-cached"}, 504, "not_cached")])
def test_what_asking_again_will_not_mend_says_so(start_gateway, headers, status, code):
    """SDKs try again by themselves after any 5xx."""
    got, said, body = start_gateway().ask(QUESTION, headers)
    assert got == status and json.loads(body)["error"]["code"] == code and said["x-should-retry"] == "false"


FAULTS = {
    "drop": 502,
    "garbage": 502,
    "half": 502,
    "half_json": 200,
    "error_in_200": 200,
    "encoded": 200,
    "500": 500,
    "429": 429,
    "length": 200,
    "content_filter": 200,
}


@pytest.mark.parametrize("mode,status", FAULTS.items())
def test_faulty_plain_answers_are_never_stored(gateway, upstream, mode, status):
    upstream.mode = mode
    got, headers, body = gateway.ask(QUESTION)
    assert got == status
    if status >= 400:
        assert is_error(body)
    assert headers.get("x-should-retry") == ("false" if status == 502 else None)
    if mode == "encoded":
        assert headers["content-encoding"] == "gzip" and json.loads(body)["object"] == "chat.completion"
    if mode == "429":
        assert headers["retry-after"] == "7" and b"slow down" in body
    assert "stored" not in headers["cache-status"]
    nothing_was_stored(gateway, upstream)


@pytest.mark.parametrize("mode", ["cut", "cut_clean"])
def test_a_cut_stream_ends_in_an_error_and_is_not_stored(gateway, upstream, mode):
    upstream.mode, upstream.text = mode, "one two three four five six"
    status, headers, body = gateway.ask(QUESTION, stream=True)
    events = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    assert status == 200 and "[DONE]" not in events
    assert "error" in json.loads(events[-1]) and all(json.loads(e) for e in events)
    assert any("one" in e for e in events)
    nothing_was_stored(gateway, upstream)


def test_the_official_client_raises_on_a_cut_stream(gateway, upstream):
    upstream.mode, upstream.text = "cut", "one two three four"
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key="k", max_retries=0)
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="stub-model", messages=[{"role": "user", "content": QUESTION}], stream=True))


@pytest.mark.parametrize("mode", ["bad_sse", "no_finish"])
def test_odd_streams_are_forwarded_and_not_stored(gateway, upstream, mode):
    upstream.mode = mode
    status, _, body = gateway.ask(QUESTION, stream=True)
    assert status == 200 and body.endswith(b"data: [DONE]\n\n")
    nothing_was_stored(gateway, upstream)


def test_a_whole_stream_without_done_is_passed_on_and_not_stored(gateway, upstream):
    upstream.mode, upstream.text = "no_done", "one two three"
    status, _, body = gateway.ask(QUESTION, stream=True)
    assert status == 200 and b'"stop"' in body and b"error" not in body and b"[DONE]" not in body
    nothing_was_stored(gateway, upstream)


def test_a_last_event_without_its_blank_line_counts(gateway, upstream):
    upstream.mode, upstream.text = "unclosed_done", "one two three"
    status, _, body = gateway.ask(QUESTION, stream=True)
    assert status == 200 and body.endswith(b"data: [DONE]\n\n") and b"error" not in body
    assert gateway.ask(QUESTION)[1]["x-sosie-cache"] == "hit"


def test_fewer_choices_than_asked_for_are_not_stored(gateway, upstream):
    upstream.mode = "one_choice"
    gateway.ask(QUESTION, stream=True, n=2)
    upstream.mode = "ok"
    assert gateway.ask(QUESTION, n=2)[1]["x-sosie-cache"] == "miss"
    assert gateway.ask(QUESTION, stream=True, n=2)[1]["x-sosie-cache"] == "hit"


def test_a_hanging_upstream_is_given_up(start_gateway, upstream):
    gateway = start_gateway(upstream.url, "--upstream-timeout", "1s")
    upstream.mode = "hang"
    begin = time.monotonic()
    status, headers, body = gateway.ask(QUESTION)
    assert headers["x-should-retry"] == "false"
    assert status == 504 and is_error(body) and time.monotonic() - begin < 5
    nothing_was_stored(gateway, upstream)


def test_a_stalling_stream_is_given_up(start_gateway, upstream):
    gateway = start_gateway(upstream.url, "--upstream-timeout", "1s")
    upstream.mode, upstream.text = "stall", "one two three"
    status, _, body = gateway.ask(QUESTION, stream=True)
    assert status == 200 and b"upstream_timeout" in body and b"[DONE]" not in body
    nothing_was_stored(gateway, upstream)


def test_a_client_that_leaves_ends_the_upstream_call(gateway, upstream):
    upstream.mode, upstream.text = "paced", " ".join(["word"] * 40)
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}).encode()
    with socket.create_connection(("127.0.0.1", gateway.port)) as leaving:
        leaving.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert leaving.recv(100)
    deadline = time.monotonic() + 5
    while gateway.metric("sosie_in_flight") > 1 and time.monotonic() < deadline:  # 1: the asking itself
        time.sleep(0.1)
    assert gateway.metric("sosie_in_flight") == 1 and gateway.metric("sosie_cache_entries") == 0


def test_one_long_event_is_passed_on(gateway, upstream):
    """A picture in a stream: longer than what is kept, and no reason to break off."""
    picture = b'data: {"choices": [{"index": 0, "delta": {"image": "' + b"A" * (6 << 20) + b'"}}]}\n\n'
    sent = b'data: {"choices": [{"index": 0, "delta": {"content": "see:"}}]}\n\n' + picture + b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(sent)
    upstream.raw["/v1/chat/completions"] = head + sent
    status, _, body = gateway.ask(QUESTION, stream=True)
    assert status == 200 and body == sent
    del upstream.raw["/v1/chat/completions"]
    nothing_was_stored(gateway, upstream)
