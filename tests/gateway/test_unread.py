"""What the gateway does not understand of an API is passed on, uncached: the upstream decides."""

import json

import pytest
from apis import ALL, CHAT, CONVERSATIONS, RESPONSES
from callers import QUESTION

USER = '[{"role":"user","content":"x"}]'
STRANGE = {
    "input for the chat API": (CHAT, b'{"model":"stub-model","input":"How do I reset my password?"}'),
    "a lone surrogate": (CHAT, b'{"model":"stub-model","messages":[{"role":"user","content":"\\ud800"}]}'),
    "an integer beyond 64 bits": (CHAT, f'{{"model":"stub-model","x":{1 << 70},"messages":{USER}}}'.encode()),
    "a number beyond a double": (CHAT, f'{{"model":"stub-model","x":1e999,"messages":{USER}}}'.encode()),
    "no JSON": (RESPONSES, b"hello"),
    "NaN": (RESPONSES, b'{"model":"stub-model","input":"x","temperature":NaN}'),
}


@pytest.mark.parametrize("name", STRANGE)
def test_it_arrives_byte_for_byte_each_time(gateway, upstream, name):
    api, sent = STRANGE[name]
    upstream.raw[api.path] = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"whole\":123}"
    for number in (1, 2):
        status, headers, body = gateway.request("POST", api.path, sent, api.headers("ann"))
        assert (status, body) == (200, b'{"whole":123}')
        assert (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("bypass", "unreadable_request")
        assert [call["body"] for call in upstream.calls] == [sent] * number
    assert upstream.calls[0]["headers"]["authorization"] == "Bearer ann"


def test_its_model_chooses_the_upstream_all_the_same(start_gateway, upstream, tmp_path):
    settings = tmp_path / "sosie.toml"
    settings.write_text(f"""
[[upstream]]
url = "http://127.0.0.1:1/v1"
models = ["other-*"]
[[upstream]]
url = "{upstream.url}"
models = ["stub-*"]
""")
    gateway = start_gateway(env={"SOSIE_CONFIG": str(settings)})
    upstream.raw[CHAT.path] = b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}"
    body = '{{"messages":[{{"role":"user","content":"\\ud800"}}],{}}}'
    asked = lambda members: gateway.request("POST", CHAT.path, body.format(members).encode(), CHAT.headers("ann"))[0]
    assert asked('"model":"stub-model"') == 200 and len(upstream.calls) == 1
    assert asked('"model":"other-model"') == 502
    # A model that nobody has, that cannot be read, that is said twice: nobody is asked.
    for members in ('"model":"third"', '"model":5', '"x":1', '"model":"stub-1","model":"other-1"'):
        assert asked(members) == 400, members
    assert len(upstream.calls) == 1


def test_litellms_member_goes_no_further(gateway, upstream):
    upstream.raw[CHAT.path] = b"HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\n{}"
    gateway.request("POST", CHAT.path, b'{"model":"m","cache":{"no-cache":true},"input":"x"}')
    assert json.loads(upstream.calls[-1]["body"]) == {"model": "m", "input": "x"}


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_slash_at_the_end_is_none(shared, key, api):
    gateway, stub = shared
    before = stub.count()
    first = gateway.request("POST", api.path + "/?v=1", api.ask(QUESTION), api.headers(key))
    assert first[0] == 200 and stub.calls[-1]["line"] == f"POST {api.path}?v=1 HTTP/1.1"
    again = gateway.request("POST", api.path + "?v=1", api.ask(QUESTION), api.headers(key))
    assert again[0] == 200 and again[1]["x-sosie-cache"] == "hit" and stub.count() == before + 1


@pytest.mark.parametrize("api", CONVERSATIONS, ids=repr)
def test_an_idempotency_key_is_for_answers_that_nobody_else_gets(shared, key, api):
    """An upstream that knows the key repeats itself, to whatever question: such an answer must not be kept for others."""
    gateway, stub = shared
    idempotent = {"Idempotency-Key": "k"}
    gateway.call(api, QUESTION, key, headers=idempotent)
    assert "idempotency-key" not in stub.calls[-1]["headers"]
    assert gateway.call(api, QUESTION, key, headers={"Idempotency-Key": "another"})[1]["x-sosie-cache"] == "hit"
    gateway.call(api, "What is the news today?", key, headers=idempotent)
    assert stub.calls[-1]["headers"]["idempotency-key"] == "k"
    gateway.request("POST", "/v1/files", {}, {**api.headers(key), **idempotent})
    assert stub.calls[-1]["headers"]["idempotency-key"] == "k"
