"""Upstreams that speak another HTTP, another event stream or another JSON than they should: what is whole is kept, what is not is passed
on, and the next request is none the worse."""

import json

import pytest
from apis import CHAT, MESSAGES, RESPONSES, STREAMING
from stub_upstream import Said, completion
from stub_upstream.server import APIS

QUESTION = "How do I reset my password?"
SAID = Said("An answer.")


def whole(api=CHAT, **changes):
    return {**APIS[api.path][0](SAID, api.ask(QUESTION)), **changes}


def events(api=CHAT):
    return [data for _, data in APIS[api.path][1](SAID, {**api.ask(QUESTION), "stream_options": {"include_usage": True}})]  # As the gateway asks.


def as_json(value, *lines):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(data)}", *lines]).encode() + b"\r\n\r\n" + data


def as_events(data, *lines):
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/event-stream", f"Content-Length: {len(data)}", *lines]).encode() + b"\r\n\r\n" + data


def choice(**changes):
    base = completion("An answer.")
    return {**base, "choices": [{**base["choices"][0], **changes}]}


def message(**changes):
    return choice(message={"role": "assistant", "content": "An answer.", **changes})


def call(arguments):
    return {"id": "c", "type": "function", "function": {"name": "weather", "arguments": arguments}}


@pytest.fixture
def ask(shared, key):
    """ask(api, bytes of the upstream's answer or None, stream) -> (status, headers, body)"""
    gateway, stub = shared

    def ask(api, said=None, stream=False):
        if said is not None:
            stub.raw[api.path] = said
        try:
            return gateway.call(api, QUESTION, key, **({"stream": True} if stream else {}))
        finally:
            stub.raw.pop(api.path, None)

    assert gateway.call(CHAT, QUESTION, f"{key}-before")[0] == 200  # Too many failures in a row, and the upstream is left alone.
    return ask


WHOLE = {
    "in HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + json.dumps(whole()).encode(),
    "until it closes": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + json.dumps(whole()).encode(),
    "after a hint": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + as_json(whole()),
    "with no reason": as_json(whole()).replace(b"200 OK", b"200 "),
    "with another type": as_json(whole()).replace(b"application/json", b"application/json;charset=UTF-8"),
    "identity": as_json(whole(), "Content-Encoding: identity"),
    "many headers": as_json(whole(), *(f"x-{i}: {'y' * 50}" for i in range(60))),
    "unknown fields": as_json(whole(zz={"a": [1, {"b": None}]}, system_fingerprint="fp")),
    "without usage": as_json({k: v for k, v in whole().items() if k != "usage"}),
    "white space": as_json(json.dumps(whole(), indent=4).encode() + b"\n\n\n"),
}

NOT_KEPT = {
    "a page": as_json(b"<html>Hello</html>").replace(b"application/json", b"text/html"),
    "nothing": as_json(b""),
    "null": as_json(b"null"),
    "a list": as_json([whole()]),
    "no choices": as_json(whole(choices=[])),
    "an empty text": as_json(message(content="")),
    "no text": as_json(message(content=None)),
    "a number for a text": as_json(message(content=5)),
    "no finish": as_json(choice(finish_reason=None)),
    "an odd finish": as_json(choice(finish_reason="because")),
    "too many choices": as_json(whole(choices=whole()["choices"] * 2)),
    "a key twice": as_json(json.dumps(whole()).replace('"model"', '"choices": [], "model"', 1).encode()),
    "invalid UTF-8": as_json(json.dumps(whole()).encode().replace(b"An answer", b"An \xff answer")),
    "deep": as_json(whole(x=json.loads("[" * 900 + "]" * 900))),
    "cut": as_json(json.dumps(whole()).encode()[:-1]),
    "two answers": as_json(json.dumps(whole()).encode() * 2),
    "an error": as_json({"error": {"message": "no", "type": "x"}}),
    "events for a plain request": as_events(b"".join(events())),
    "status 201": as_json(whole()).replace(b"200 OK", b"201 Created"),
    "status 206": as_json(whole()).replace(b"200 OK", b"206 Partial Content"),
    "tool calls of odd arguments": as_json(choice(message={"role": "assistant", "content": None, "tool_calls": [call("not JSON")]}, finish_reason="tool_calls")),
    "another coding": as_json(whole(), "Content-Encoding: br"),
}

MALFORMED = {
    "lengths that differ": as_json(whole(), "Content-Length: 5"),
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "a length of words": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    "a chunk of words": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "a chunk too long to be": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "no version": b"200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a status below all": b"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\n{}",
    "a status of words": b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no colon": b"HTTP/1.1 200 OK\r\nContent-Length 2\r\n\r\n{}",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 300_000 + b"\r\n\r\n{}",
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answers_are_kept(ask, name):
    status, headers, _ = ask(CHAT, WHOLE[name])
    assert (status, headers["x-sosie-cache"]) == (200, "miss")
    assert ask(CHAT)[1]["x-sosie-cache"] == "hit"


@pytest.mark.parametrize("name", NOT_KEPT)
def test_answers_that_are_not_whole_are_passed_on_and_not_kept(ask, name):
    said = NOT_KEPT[name]
    status, headers, body = ask(CHAT, said)
    assert status == int(said.split(b" ")[1]) and body == said.split(b"\r\n\r\n", 1)[1] and "stored" not in headers["cache-status"]
    assert ask(CHAT)[1]["x-sosie-cache"] == "miss"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_http_is_said_to_be_so(ask, name, stream):
    status, _, body = ask(CHAT, MALFORMED[name], stream)
    assert status == 502 and CHAT.is_error(body)
    assert ask(CHAT)[1]["x-sosie-cache"] == "miss"


STREAMS = {
    "with its length": lambda data: as_events(data),
    "until it closes": lambda data: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + data,
    "in HTTP/1.0": lambda data: b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + data,
    "with carriage returns": lambda data: as_events(data.replace(b"\n", b"\r\n")),
    "with carriage returns alone": lambda data: as_events(data.replace(b"\n", b"\r")),
    "with a mark in front": lambda data: as_events(b"\xef\xbb\xbf" + data),
    "with pings": lambda data: as_events(b": ping\n\n" + data.replace(b"\n\n", b"\n\n:\n\n")),
    "without blanks": lambda data: as_events(data.replace(b"data: ", b"data:").replace(b"event: ", b"event:")),
    "with bytes behind its end": lambda data: as_events(data + b": bye\n\n"),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_streams_in_every_form_are_kept(ask, api, name):
    status, _, body = ask(api, STREAMS[name](b"".join(events(api))), stream=True)
    assert status == 200
    if name != "with carriage returns alone":
        assert api.streamed(body.lstrip(b"\xef\xbb\xbf")) == SAID.text
    status, headers, body = ask(api)
    assert headers["x-sosie-cache"] == "hit" and api.said(body) == SAID.text


def chunk_with(**delta):
    return ("data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) + "\n\n").encode()


BROKEN_STREAMS = {
    (CHAT, "an event that is no JSON"): lambda data: [data[0], b"data: {oops\n\n", *data[1:]],
    (CHAT, "two finishes that differ"): lambda data: [*data[:-1], data[-3].replace(b'"stop"', b'"length"'), data[-1]],
    (CHAT, "an unknown choice"): lambda data: [data[0], data[1].replace(b'"index": 0', b'"index": 7'), *data[2:]],
    (CHAT, "an error in the middle"): lambda data: [*data[:2], b'data: {"error": {"message": "no"}}\n\n', *data[2:]],
    (CHAT, "a call without a name"): lambda data: [data[0], chunk_with(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]), *data[1:]],
    (CHAT, "an end without anything"): lambda data: [data[-1]],
    (RESPONSES, "incomplete"): lambda data: [*data[:-1], data[-1].replace(b"response.completed", b"response.incomplete").replace(b'"completed"', b'"incomplete"')],
    (RESPONSES, "failed"): lambda data: [*data[:-1], data[-1].replace(b"response.completed", b"response.failed").replace(b'"completed"', b'"failed"')],
    (RESPONSES, "cancelled"): lambda data: [*data[:-1], data[-1].replace(b"response.completed", b"response.cancelled").replace(b'"completed"', b'"cancelled"')],
    (MESSAGES, "no stop reason"): lambda data: [each for each in data if b"message_delta" not in each],
    (MESSAGES, "a pause"): lambda data: [each.replace(b"end_turn", b"pause_turn") for each in data],
    (MESSAGES, "a refusal"): lambda data: [each.replace(b"end_turn", b"refusal") for each in data],
    (MESSAGES, "a limit"): lambda data: [each.replace(b"end_turn", b"max_tokens") for each in data],
    (MESSAGES, "a block that never starts"): lambda data: [each for each in data if b"content_block_start" not in each],
    (MESSAGES, "a block that never stops"): lambda data: [each for each in data if b"content_block_stop" not in each],
    (MESSAGES, "an unknown delta"): lambda data: [each.replace(b"text_delta", b"odd_delta") for each in data],
    (MESSAGES, "an error in the middle"): lambda data: [*data[:4], b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n', *data[4:]],
    (MESSAGES, "no start"): lambda data: data[1:],
}


@pytest.mark.parametrize("api,name", BROKEN_STREAMS, ids=lambda each: each if isinstance(each, str) else repr(each))
def test_streams_that_are_not_whole_are_not_kept(ask, api, name):
    data = b"".join(BROKEN_STREAMS[api, name](events(api)))
    status, _, body = ask(api, as_events(data), stream=True)
    assert status == 200 and data[:20] in body
    assert ask(api)[1]["x-sosie-cache"] == "miss"


@pytest.mark.parametrize("size", [100_000, 3_000_000, 6_000_000])
@pytest.mark.parametrize("stream", [False, True])
def test_large_answers(ask, size, stream):
    text = "a" * size
    said = as_events(b"".join([chunk_with(role="assistant", content=text), *events()[-3:]])) if stream else as_json(message(content=text))
    status, _, body = ask(CHAT, said, stream)
    assert status == 200 and CHAT.text(body, stream) == text
    assert ask(CHAT)[1]["x-sosie-cache"] == ("hit" if size < 4_000_000 else "miss")


def test_odd_arguments_stay_with_their_api(shared, key):
    """What another API cannot say is asked anew."""
    gateway, stub = shared
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    stub.raw[CHAT.path] = as_json(choice(message={"role": "assistant", "content": None, "tool_calls": [call("[1]")]}, finish_reason="tool_calls"))
    gateway.call(CHAT, QUESTION, key, tools=tools)
    del stub.raw[CHAT.path]
    assert gateway.call(CHAT, QUESTION, key, tools=tools)[1]["x-sosie-cache"] == "hit"
    _, headers, body = gateway.call(MESSAGES, QUESTION, key, tools=[{"name": "weather", "input_schema": {"type": "object"}}])
    assert (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("miss", "other_api") and MESSAGES.said(body).startswith("answer to")


@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_stream_that_was_asked_for_and_did_not_come(ask, api):
    said = as_json(whole(api))
    status, headers, body = ask(api, said, stream=True)
    assert status == 200 and body == said.split(b"\r\n\r\n", 1)[1] and headers["content-type"] == "application/json"
    assert ask(api)[1]["x-sosie-cache"] == "miss"


def test_an_answer_before_the_question_is_read(shared, key):
    """As proxies do that find a body too large."""
    gateway, stub = shared
    stub.raw["/v1/files"] = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    status, _, body = gateway.request("POST", "/v1/files", b"x" * 5_000_000)
    assert (status, body) == (413, b"no")
