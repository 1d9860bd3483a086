"""Chat completions through the gateway, asked by the official client."""

import json
import time

import openai
import pytest
from stub_upstream import TOOL_CALL

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"


@pytest.fixture
def client(gateway):
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key="key-one", max_retries=0)


def ask(client, text, **fields):
    messages = fields.pop("messages", None) or [{"role": "user", "content": text}]
    raw = client.chat.completions.with_raw_response.create(model="stub-model", messages=messages, **fields)
    return raw.headers, raw.parse()


def ask_stream(client, text, **fields):
    raw = client.chat.completions.with_raw_response.create(
        model="stub-model", messages=[{"role": "user", "content": text}], stream=True, **fields
    )
    chunks = list(raw.parse())
    return raw.headers, chunks


def joined(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_repeat_and_a_paraphrase_hit(client, upstream):
    headers, first = ask(client, QUESTION)
    assert headers["x-sosie-cache"] == "miss" and headers["x-sosie-reason"] == "empty_scope"
    assert headers["x-sosie-store"] == "accepted" and "stored" not in headers["cache-status"]

    headers, again = ask(client, QUESTION)
    assert (headers["x-sosie-cache"], headers["x-sosie-layer"]) == ("hit", "exact")
    assert float(headers["x-sosie-similarity"]) == 1 and int(headers["age"]) >= 0
    assert headers["cache-status"].startswith("sosie; hit")

    headers, near = ask(client, PARAPHRASE)
    assert (headers["x-sosie-cache"], headers["x-sosie-layer"]) == ("hit", "semantic")
    assert 0.85 <= float(headers["x-sosie-similarity"]) < 1
    assert len(headers["x-sosie-entry-id"]) == 32

    for answer in (again, near):
        assert answer.choices == first.choices and answer.usage == first.usage and answer.model == first.model
        assert answer.id != first.id and answer.created >= time.time() - 60
    assert again.id != near.id
    assert len(upstream.calls) == 1


def test_another_question_misses(client, upstream):
    ask(client, QUESTION)
    headers, _ = ask(client, "What is the tallest mountain in Norway?")
    assert (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("miss", "below_threshold")
    assert len(upstream.calls) == 2


def test_the_upstream_gets_the_body_byte_for_byte(gateway, upstream):
    body = b'{ "messages" : [ {"content":"h\\u00e4 \xc3\xa4", "role":"user"} ],\n "model":"stub-model", "seed": 1.0 }'
    status, headers, _ = gateway.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer secret-key", "OpenAI-Project": "p"})
    assert status == 200 and headers["x-request-id"] == "req-1"
    call = upstream.calls[0]
    assert call["body"] == body and call["line"] == "POST /v1/chat/completions HTTP/1.1"
    assert call["headers"]["authorization"] == "Bearer secret-key" and call["headers"]["openai-project"] == "p"
    assert call["headers"]["host"] == f"127.0.0.1:{upstream.port}"


@pytest.mark.parametrize("name", ["x-goog-api-key", "X-Tenant-Id", "Ocp-Apim-Subscription-Key", "x-portkey-config"])
def test_a_header_that_reaches_the_upstream_separates(gateway, upstream, name):
    gateway.ask(QUESTION, {name: "one"})
    assert upstream.calls[-1]["headers"][name.lower()] == "one"
    assert gateway.ask(QUESTION, {name: "two"})[1]["x-sosie-cache"] == "miss"
    assert gateway.ask(QUESTION, {name: "one", "User-Agent": "other"})[1]["x-sosie-cache"] == "hit"


def test_the_query_reaches_the_upstream_and_separates(gateway, upstream):
    body = {"model": "stub-model", "messages": [{"role": "user", "content": QUESTION}]}
    for version, expected in (("1", "miss"), ("2", "miss"), ("1", "hit")):
        path = f"/v1/chat/completions?api-version={version}"
        assert gateway.request("POST", path, body)[1]["x-sosie-cache"] == expected
    assert upstream.calls[0]["line"] == "POST /v1/chat/completions?api-version=1 HTTP/1.1"


def test_a_configured_key_replaces_the_callers(start_gateway, upstream):
    gateway = start_gateway(upstream.url, env={"OPENAI_API_KEY": "server-secret"})
    gateway.ask(QUESTION, {"Authorization": "Bearer caller-secret", "x-api-key": "caller-secret"})
    assert upstream.calls[0]["headers"]["authorization"] == "Bearer server-secret"
    assert "caller-secret" not in str(upstream.calls[0]["headers"])
    text = gateway.request("GET", "/metrics")[2].decode()
    assert "secret" not in text and "secret" not in gateway.errors()


def test_so_it_does_in_a_query(start_gateway, upstream):
    query = "?key=caller-secret&api-version=1&access_token=caller-secret"
    for key, left in (("server-secret", "?api-version=1"), (None, query)):
        gateway = start_gateway(upstream.url, env={"OPENAI_API_KEY": key} if key else {})
        for method, path, body in (("POST", "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": left}]}), ("GET", "/v1/files", None)):
            assert gateway.request(method, path + query, body)[0] == 200
            assert upstream.calls[-1]["line"] == f"{method} {path}{left} HTTP/1.1"
        gateway.stop()
        assert "secret" not in gateway.errors()


def test_streams_are_kept_and_replayed_in_both_shapes(client, upstream):
    upstream.text = "Open the settings, choose security, and press the reset button; a letter will come by mail."
    headers, fresh = ask_stream(client, QUESTION, stream_options={"include_usage": True})
    assert headers["x-sosie-cache"] == "miss" and joined(fresh) == upstream.text

    headers, replayed = ask_stream(client, QUESTION)
    assert headers["x-sosie-cache"] == "hit" and headers["content-type"].startswith("text/event-stream")
    assert joined(replayed) == upstream.text and len(replayed) > 4
    assert replayed[0].choices[0].delta.role == "assistant" and replayed[-1].choices[0].finish_reason == "stop"
    assert all(c.usage is None for c in replayed) and len({c.id for c in replayed}) == 1

    _, with_usage = ask_stream(client, PARAPHRASE, stream_options={"include_usage": True})
    assert with_usage[-1].choices == [] and with_usage[-1].usage.total_tokens == 5

    headers, plain = ask(client, QUESTION)
    assert headers["x-sosie-cache"] == "hit" and plain.choices[0].message.content == upstream.text
    assert plain.object == "chat.completion" and plain.choices[0].finish_reason == "stop" and plain.usage.total_tokens == 5
    assert len(upstream.calls) == 1


def test_a_plain_answer_is_streamed(client, upstream):
    upstream.text = "Ærlig talt: 文字 and 👩‍👩‍👧 are whole characters in every piece, however it is cut."
    ask(client, QUESTION)
    headers, chunks = ask_stream(client, QUESTION)
    assert headers["x-sosie-cache"] == "hit" and joined(chunks) == upstream.text
    assert len(upstream.calls) == 1


def test_the_stream_arrives_as_it_comes(client, upstream):
    upstream.mode, upstream.text = "paced", "one two three four five"
    begin = time.monotonic()
    stream = client.chat.completions.create(model="stub-model", messages=[{"role": "user", "content": QUESTION}], stream=True)
    arrivals = [time.monotonic() - begin for c in stream if c.choices and c.choices[0].delta.content]
    assert len(arrivals) == 5 and arrivals[-1] - arrivals[0] > 0.6


@pytest.mark.parametrize("first_is_stream", [True, False])
def test_tool_calls_in_both_shapes(client, upstream, first_is_stream):
    upstream.mode = "tools"
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    (ask_stream if first_is_stream else ask)(client, "Is it far to Oslo?", tools=tools)

    headers, plain = ask(client, "Is it far to Oslo?", tools=tools)
    assert headers["x-sosie-cache"] == "hit" and plain.choices[0].finish_reason == "tool_calls"
    assert plain.choices[0].message.tool_calls[0].model_dump() == TOOL_CALL

    headers, chunks = ask_stream(client, "Is it far to Oslo?", tools=tools)
    assert headers["x-sosie-cache"] == "hit"
    calls = [c.choices[0].delta.tool_calls[0] for c in chunks if c.choices and c.choices[0].delta.tool_calls]
    assert calls[0].id == "call_1" and calls[0].function.name == "weather" and all(c.index == 0 for c in calls)
    assert "".join(c.function.arguments or "" for c in calls) == TOOL_CALL["function"]["arguments"]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert len(upstream.calls) == 1

    headers, _ = ask(client, "Is it far to Oslo?")
    assert headers["x-sosie-cache"] == "miss"  # without tools it is another question


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other-model"},
        {"temperature": 0.5},
        {"max_tokens": 5},
        {"n": 2},
        {"response_format": {"type": "json_object"}},
        {"user": "somebody"},
        {"a_field_nobody_knows": True},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]},
        {"messages": [{"role": "user", "content": QUESTION, "name": "ann"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": "data:,x"}}]}]},
    ],
)
def test_whatever_changes_the_answer_separates(gateway, upstream, change):
    gateway.ask(QUESTION)
    _, headers, _ = gateway.ask(QUESTION, **change)
    assert headers["x-sosie-cache"] == "miss" and len(upstream.calls) == 2
    _, headers, _ = gateway.ask(QUESTION, **change)
    assert headers["x-sosie-cache"] == "hit"


def test_whatever_does_not_change_the_answer_does_not_separate(gateway, upstream):
    gateway.ask(QUESTION, temperature=0, seed=7)
    same = b'{"seed":7.0,"temperature":0.0,"top_p":null,"stream":false,"messages":[{"content":[{"text":"How do I reset my password?","type":"text"}],"role":"user"}],"model":"stub-model"}'
    _, headers, _ = gateway.request("POST", "/v1/chat/completions", same)
    assert headers["x-sosie-cache"] == "hit" and len(upstream.calls) == 1


def test_tenants_never_share(gateway, upstream):
    for headers in ({"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}, {"x-api-key": "c"}, {}, {"Authorization": "Bearer a", "OpenAI-Organization": "o"}):
        _, answer, _ = gateway.ask(QUESTION, headers)
        assert answer["x-sosie-cache"] == "miss", headers
        _, answer, _ = gateway.ask(PARAPHRASE, headers)
        assert answer["x-sosie-cache"] == "hit", headers
    assert len(upstream.calls) == 5
    assert gateway.ask(QUESTION, {"x-api-key": "a"})[1]["x-sosie-cache"] == "hit"  # The same key, sent otherwise.
    assert gateway.ask(QUESTION, {"Authorization": "Bearer a", "x-api-key": "b"})[1]["x-sosie-cache"] == "miss"


def test_cache_control_is_honoured(gateway, upstream):
    gateway.ask(QUESTION)
    _, headers, _ = gateway.ask(QUESTION, {"Cache-Control": "no-cache"})
    assert (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("bypass", "no_cache")
    upstream.text = "Newer."
    gateway.ask(QUESTION, {"Cache-Control": "no-cache"})
    assert json.loads(gateway.ask(QUESTION)[2])["choices"][0]["message"]["content"] == "Newer."
    gateway.ask("What is the tallest mountain in Norway?", {"Cache-Control": "no-store"})
    _, headers, _ = gateway.ask("What is the tallest mountain in Norway?")
    assert headers["x-sosie-cache"] == "miss"


def test_what_cannot_be_matched_is_passed_on(gateway, upstream):
    for _ in range(2):
        status, headers, _ = gateway.ask("  \n")
        assert (status, headers["x-sosie-cache"], headers["x-sosie-reason"]) == (200, "bypass", "blank_prompt")
    assert len(upstream.calls) == 2 and gateway.metric("sosie_cache_entries") == 0


def test_a_conversation_that_the_user_did_not_end_is_matched_by_its_very_text(gateway, upstream):
    begun = {"role": "assistant", "content": "You"}
    fates = [gateway.ask("", messages=[{"role": "user", "content": text}, begun])[1]["x-sosie-cache"] for text in (QUESTION, QUESTION, PARAPHRASE)]
    assert fates == ["miss", "hit", "miss"] and len(upstream.calls) == 2


def test_answers_outlive_the_process(start_gateway, upstream):
    first = start_gateway(upstream.url)
    first.ask(QUESTION)
    first.stop()
    second = start_gateway(upstream.url)
    _, headers, _ = second.ask(PARAPHRASE)
    assert headers["x-sosie-cache"] == "hit"


def test_other_paths_go_through(gateway, upstream):
    status, headers, body = gateway.request("GET", "/v1/models?limit=2")
    assert status == 200 and json.loads(body)["line"] == "GET /v1/models?limit=2 HTTP/1.1"
    assert headers["x-sosie-cache"] == "bypass"
    status, _, body = gateway.request("POST", "/v1/moderations", {"input": "x"})
    assert status == 200 and upstream.calls[-1]["body"] == b'{"input": "x"}'
    assert gateway.request("GET", "/v1/%2e%2e/admin")[0] == 400 and gateway.request("GET", "/v1/../admin")[0] == 400
    assert len(upstream.calls) == 2


def test_without_an_upstream(start_gateway, upstream):
    filled = start_gateway(upstream.url)
    filled.ask(QUESTION)
    filled.stop()
    alone = start_gateway()
    status, headers, _ = alone.ask(PARAPHRASE)
    assert (status, headers["x-sosie-cache"]) == (200, "hit")
    status, _, body = alone.ask("What is the tallest mountain in Norway?")
    error = json.loads(body)["error"]
    assert status == 503 and "--upstream" in error["message"] and "OPENAI_BASE_URL" in error["message"]
    assert json.loads(alone.request("GET", "/v1/models")[2])["data"][0]["id"] == "all-MiniLM-L6-v2"
    assert alone.request("GET", "/v1/nothing")[0] == 404
