"""What is said of an answer's storing: never more than is true, and always why not."""

import json
import signal
import sqlite3

import pytest
from apis import ALL, CHAT, CONVERSATIONS, STREAMING
from callers import QUESTION, at_once, wait_for


def explained(gateway, headers, key=None, api=CHAT):
    status, _, body = gateway.request("GET", f"/v1/explain/{headers['x-sosie-request-id']}", headers=api.headers(key))
    assert status == 200, body
    return json.loads(body)


def settled(gateway, headers, key=None, api=CHAT):
    """The explanation once it is known what became of the answer."""
    wait_for(lambda: explained(gateway, headers, key, api).get("not_stored") != "pending", 20)
    return explained(gateway, headers, key, api)


def says_nothing_of_stored(headers):
    return "stored" not in headers["cache-status"] and headers.get("x-sosie-store") != "stored"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_what_is_said_to_be_stored_survives(start_gateway, upstream, tmp_path, api, stream):
    gateway = start_gateway(upstream.url, data=tmp_path / "d")
    _, headers, _ = gateway.call(api, QUESTION, "ann", stream=stream)
    assert says_nothing_of_stored(headers) and headers.get("x-sosie-store") in ((None, "accepted") if stream else ("accepted",))
    said = settled(gateway, headers, "ann", api)
    assert said["stored"] is True and "not_stored" not in said
    assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL
    gateway.stop = lambda: 0  # For the fixture: it has ended as it should.
    again = start_gateway(upstream.url, data=tmp_path / "d")
    assert again.call(api, QUESTION, "ann")[1]["x-sosie-cache"] == "hit"


def test_what_the_store_does_not_take_is_not_said_to_be_stored(start_gateway, upstream, tmp_path):
    gateway = start_gateway(upstream.url, data=tmp_path)
    blocker = sqlite3.connect(tmp_path / "sosie.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        _, headers, _ = gateway.ask(QUESTION)
        assert headers["x-sosie-store"] == "accepted" and says_nothing_of_stored(headers)
        said = explained(gateway, headers)
        assert (said["stored"], said["not_stored"]) == (False, "pending")
        said = settled(gateway, headers)
        assert said["stored"] is False and said["not_stored"] in ("store_timeout", "store_failed")
    finally:
        blocker.close()


# Mode of the upstream: the reason.
REASONS = {
    "length": "finish_reason",
    "error_in_200": "not_a_completion|error_inside",
    "500": "upstream_status",
    "429": "upstream_status",
    "encoded": "content_encoding",
    "drop": "no_whole_answer",
    "half": "no_whole_answer",
    "half_json": "not_json",
    "write_tool": "write_tools",
}


@pytest.mark.parametrize("mode", REASONS)
def test_explain_says_why_not(shared, key, mode):
    gateway, stub = shared
    stub.modes = [mode]
    _, headers, _ = gateway.call(CHAT, QUESTION, key)
    assert says_nothing_of_stored(headers) and "x-sosie-store" not in headers
    said = settled(gateway, headers, key)
    assert said["stored"] is False and said["not_stored"] in REASONS[mode].split("|") and said["not_stored_because"]
    if REASONS[mode] in ("upstream_status", "content_encoding", "no_whole_answer", "write_tools"):
        assert said["not_stored_field"]


STREAM_REASONS = {
    "length": {"finish_reason", "status"},
    "error_in_200": {"not_a_stream"},
    "cut": {"no_whole_answer"},
    "cut_clean": {"no_whole_answer"},
    "error_event": {"error_inside"},
    "bad_sse": {"not_json", "no_whole_answer"},
}


@pytest.mark.parametrize("mode", STREAM_REASONS)
@pytest.mark.parametrize("api", CONVERSATIONS, ids=repr)
def test_explain_says_why_not_of_streams(shared, key, api, mode):
    gateway, stub = shared
    stub.modes = [mode]
    _, headers, _ = gateway.call(api, QUESTION, key, stream=True)
    said = settled(gateway, headers, key, api)
    assert said["stored"] is False and said["not_stored"] in STREAM_REASONS[mode] and said["not_stored_because"]


@pytest.mark.parametrize(
    ("headers", "fields", "reason"),
    [
        ({"x-sosie-cache-control": "no-store"}, {}, "no_store"),
        ({"cache-control": "no-store"}, {}, "no_store"),
        ({"x-sosie-cache-control": "only-if-cached"}, {}, "no_whole_answer"),
        ({}, {"temperature": 2}, "high_temperature"),
        ({}, {"cache": {"no-store": True}}, "no_store"),
    ],
)
def test_explain_says_whose_wish_it_was(shared, key, headers, fields, reason):
    gateway, _ = shared
    _, said, _ = gateway.call(CHAT, QUESTION, key, headers=headers, **fields)
    assert "x-sosie-store" not in said
    told = settled(gateway, said, key)
    assert (told["stored"], told["not_stored"]) == (False, reason)


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_hit_and_who_waited_for_another_store_nothing(shared, key, api):
    gateway, stub = shared
    stub.delay = 0.3
    try:
        answers = at_once([lambda: gateway.call(api, QUESTION, key) for _ in range(3)])
    finally:
        stub.delay = 0.0
    answers.append(gateway.call(api, QUESTION, key))
    for _, headers, _ in answers:
        told = settled(gateway, headers, key, api)
        expected = {"miss": (True, None), "coalesced": (False, "coalesced"), "hit": (False, "from_cache")}[headers["x-sosie-cache"]]
        assert (told["stored"], told.get("not_stored")) == expected


def test_too_long(gateway, upstream):
    upstream.text = "word " * 1_000_000
    _, headers, _ = gateway.ask(QUESTION)
    assert settled(gateway, headers)["not_stored"] == "too_long"
