"""What an upstream says oddly, in a stream or whole, is said again as its API has it: by the same API, plain or in events, and to clients
that count on what upstreams leave out. Each answer is asked for twice with one key."""

import concurrent.futures
import json
import subprocess

import pytest
from apis import CHAT, COMPLETIONS, CONVERSATIONS, MESSAGES, RESPONSES, events_of
from stub_upstream import completion

QUESTION = "How do I reset my password?"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
OSLO, LIMA = '{"city":"Oslo"}', '{"city":"Lima"}'


@pytest.fixture
def stub(shared):
    yield shared[1]
    shared[1].raw.clear()


@pytest.fixture
def ask(shared, stub, key):
    """ask(api, said, **fields) -> (what became of it, body); `said`: the bytes of the upstream's answer, or None for the stub's own."""

    def ask(api, said=None, **fields):
        stub.raw.pop(api.path, None)
        if said is not None:
            stub.raw[api.path] = said
        status, headers, body = shared[0].call(api, QUESTION, key, **fields)
        assert status == 200, body
        return headers["x-sosie-cache"], body

    return ask


def http(body, kind):
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def whole(**message):
    return http(json.dumps(completion(None, message.pop("finish", "tool_calls"), **message)).encode(), "application/json")


def stream(*chunks, end="data: [DONE]\n\n", named=False):
    lines = (f"event: {chunk['type']}\n" if named else "" for chunk in chunks)
    return http("".join(f"{line}data: {json.dumps(chunk)}\n\n" for line, chunk in zip(lines, chunks)).encode() + end.encode(), "text/event-stream")


def chunk(delta=None, finish=None, **more):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m", "choices": choices, **more}


def calls(*pieces):
    return chunk({"tool_calls": [*pieces]})


def call(index, id=None, name=None, arguments=""):
    piece = {"index": index, "function": {"arguments": arguments}}
    if id:
        piece |= {"id": id, "type": "function"}
    if name:
        piece["function"]["name"] = name
    return piece


COUNTED = chunk(usage=USAGE)


def message(body):
    return json.loads(body)["choices"][0]["message"]


def test_two_calls_of_one_index_are_two(ask):
    said = stream(calls(call(0, "a", "weather", OSLO)), calls(call(0, "b", "weather", LIMA)), chunk({}, "tool_calls"), COUNTED)
    assert ask(CHAT, said, stream=True)[0] == "miss"
    fate, body = ask(CHAT)
    assert fate == "hit"
    assert [(one["id"], one["function"]["arguments"]) for one in message(body)["tool_calls"]] == [("a", OSLO), ("b", LIMA)]
    fate, body = ask(CHAT, stream=True)
    pieces = [piece for event in events_of(body) if event != "[DONE]" for choice in event["choices"] for piece in choice["delta"].get("tool_calls", [])]
    assert fate == "hit" and {(piece["index"], piece["id"]) for piece in pieces if "id" in piece} == {(0, "a"), (1, "b")}


@pytest.mark.parametrize("arguments", [OSLO + LIMA, '{"city":"Os', "not JSON", "{'city': 'Oslo'}"])
def test_arguments_that_are_no_json_are_not_kept(ask, arguments):
    assert ask(CHAT, stream(calls(call(0, "a", "weather", arguments)), chunk({}, "tool_calls"), COUNTED), stream=True)[0] == "miss"
    tool_call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    assert ask(CHAT, whole(tool_calls=[tool_call]))[0] == "miss"
    assert ask(CHAT)[0] == "miss"


def test_arguments_that_are_an_object_are_said_as_a_text(ask):
    tool_call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    assert ask(CHAT, whole(tool_calls=[tool_call]))[0] == "miss"
    fate, body = ask(CHAT)
    assert fate == "hit" and message(body)["tool_calls"][0]["function"] == {"name": "weather", "arguments": OSLO}
    fate, body = ask(CHAT, stream=True)
    said = [piece["function"]["arguments"] for event in events_of(body) if event != "[DONE]" for choice in event["choices"] for piece in choice["delta"].get("tool_calls", [])]
    assert fate == "hit" and "".join(said) == OSLO


def test_empty_values_of_the_last_chunk_overwrite_nothing(ask):
    last = {**chunk({}), "id": "", "model": "", "created": 0, "object": "", "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}
    assert ask(CHAT, stream(chunk({"content": "An answer."}), chunk({}, "stop"), COUNTED, last), stream=True)[0] == "miss"
    fate, body = ask(CHAT)
    answer = json.loads(body)
    assert (fate, answer["model"], answer["usage"]) == ("hit", "m", USAGE) and answer["id"] and answer["created"] > 0


PIECES = {
    "details of a reasoning": (
        [chunk({"content": "", "reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]}) for text in ("Let me ", "see.")] + [chunk({"content": "Four."})],
        "stop",
        {"content": "Four.", "reasoning_details": [{"type": "reasoning.text", "text": "Let me see.", "index": 0}]},
    ),
    "a call of the older kind": (
        [chunk({"function_call": {"name": "weather", "arguments": ""}}), chunk({"function_call": {"arguments": OSLO[:5]}}), chunk({"function_call": {"arguments": OSLO[5:]}})],
        "function_call",
        {"content": None, "function_call": {"name": "weather", "arguments": OSLO}},
    ),
    "a list of content": (
        [chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}) for text in ("Let me ", "see.")]
        + [chunk({"content": "Fo"}), chunk({"content": "ur."})],
        "stop",
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}, {"type": "text", "text": "Four."}]},
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_what_comes_in_pieces_is_kept_whole(ask, name):
    pieces, finish, expected = PIECES[name]
    assert ask(CHAT, stream(*pieces, chunk({}, finish), COUNTED), stream=True)[0] == "miss"
    fate, body = ask(CHAT)
    assert fate == "hit" and {key: value for key, value in message(body).items() if key != "role"} == expected
    assert ask(CHAT, stream=True)[0] == "hit"


def test_the_end_of_another_api_behind_a_message(shared, ask, key):
    events = events_of(shared[0].call(MESSAGES, QUESTION, f"{key}-before", stream=True)[2])
    assert ask(MESSAGES, stream(*events, named=True), stream=True)[0] == "miss"
    assert ask(MESSAGES)[0] == "hit"


def test_a_response_that_is_completed_without_the_items_it_had(ask):
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": "An answer.", "annotations": []}]}
    base = {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": "m", "status": "in_progress", "output": []}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    said = [
        {"type": "response.created", "response": base},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**base, "status": "completed", "usage": usage}},
    ]
    assert ask(RESPONSES, stream(*said, end="", named=True), stream=True)[0] == "miss"
    fate, body = ask(RESPONSES)
    assert fate == "hit" and json.loads(body)["output"] == [item]
    fate, body = ask(RESPONSES, stream=True)
    assert fate == "hit" and RESPONSES.streamed(body) == "An answer."


# Usage.


@pytest.mark.parametrize("api", [CHAT, COMPLETIONS], ids=repr)
def test_usage_is_there_for_who_asks_plainly_behind_a_stream_that_did_not_ask_for_it(ask, stub, api):
    fate, body = ask(api, stream=True)
    events = events_of(body)
    assert fate == "miss" and events[-1] == "[DONE]" and all(event["choices"] for event in events[:-1])  # Nothing that was not asked for.
    assert json.loads(stub.calls[-1]["body"])["stream_options"] == {"include_usage": True}
    fate, body = ask(api)
    assert fate == "hit" and json.loads(body)["usage"]["total_tokens"] == 5
    fate, body = ask(api, stream=True)
    assert fate == "hit" and all(event["choices"] for event in events_of(body)[:-1])
    fate, body = ask(api, stream=True, stream_options={"include_usage": True})
    assert fate == "hit" and events_of(body)[-2]["usage"]["total_tokens"] == 5


@pytest.mark.parametrize("other", [RESPONSES, MESSAGES], ids=repr)
def test_so_it_is_for_other_apis(ask, other):
    assert ask(CHAT, stream=True)[0] == "miss"
    fate, body = ask(other, **({"store": False} if other is RESPONSES else {}))
    usage = json.loads(body)["usage"]
    assert fate == "hit" and (usage["input_tokens"], usage["output_tokens"]) == (3, 2)


def test_only_the_option_is_added_to_the_body(shared, stub, key):
    body = b'{ "stream":true ,"model":"m","stream_options" : {"include_obfuscation":false} , "messages":[{"role":"user","content":"h\\u00e4"}] }'
    assert shared[0].request("POST", CHAT.path, body, CHAT.headers(key))[0] == 200
    got = stub.calls[-1]["body"]
    assert json.loads(got) == {**json.loads(body), "stream_options": {"include_obfuscation": False, "include_usage": True}} and b"h\\u00e4" in got
    # Nothing is added where nothing is kept.
    assert shared[0].request("POST", CHAT.path, body, {**CHAT.headers(key), "x-sosie-cache-control": "no-cache, no-store"})[0] == 200
    assert stub.calls[-1]["body"] == body


def test_an_upstream_that_refuses_the_option_is_asked_without_it(start_gateway, upstream):
    gateway = start_gateway(upstream.url)
    upstream.refuses = "stream_options"
    for text, asked in (("Who was it?", 2), ("What was it?", 1)):  # It is remembered.
        before = upstream.count()
        status, headers, body = gateway.ask(text, stream=True)
        assert (status, headers["x-sosie-cache"], CHAT.streamed(body)) == (200, "miss", "An answer.")
        assert upstream.count() - before == asked and b"stream_options" not in upstream.calls[-1]["body"]
    # A caller that asks for it itself gets the upstream's answer.
    assert gateway.ask("When was it?", stream=True, stream_options={"include_usage": True})[0] == 400
    # A stream without usage answers streams; a plain question is asked once.
    assert gateway.ask("Who was it?", stream=True)[1]["x-sosie-cache"] == "hit"
    status, headers, body = gateway.ask("Who was it?")
    assert (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("miss", "no_usage") and json.loads(body)["usage"]
    assert [gateway.ask("Who was it?", **how)[1]["x-sosie-cache"] for how in ({}, {"stream": True})] == ["hit", "hit"]


def test_other_refusals_are_not_asked_again(ask, shared, stub, key):
    error = b'{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":null}}'
    stub.raw[CHAT.path] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(error) + error
    before = stub.count()
    status, _, body = shared[0].call(CHAT, QUESTION, key, stream=True)
    assert (status, body, stub.count() - before) == (400, error, 1)


def test_a_long_stream_says_no_usage_either(start_gateway, upstream):
    """One that is too long to be kept is passed on to its end."""
    upstream.text = ("x" * 10_000 + " ") * 600
    gateway = start_gateway(upstream.url)
    status, _, body = gateway.ask("Tell me a long story.", stream=True, timeout=120)
    events = events_of(body)
    assert status == 200 and events[-1] == "[DONE]" and all(event["choices"] for event in events[:-1]) and len(CHAT.heard(events)) > 5_000_000


# Responses that the upstream knows.


@pytest.mark.parametrize("maker", [RESPONSES, CHAT, MESSAGES], ids=repr)
def test_who_may_come_back_to_a_response_gets_one_that_the_upstream_knows(ask, stub, maker):
    if maker is RESPONSES:
        assert ask(RESPONSES, store=False)[0] == "miss"
    else:
        assert ask(maker)[0] == "miss"
    assert ask(RESPONSES, store=False)[0] == "hit"
    for fields in ({}, {"store": True}, {"store": None}):
        before = stub.count()
        fate, body = ask(RESPONSES, **fields)
        assert json.loads(body)["id"] == "resp_stub"
        assert stub.count() - before == (1 if fields == {} else 0)  # Once; then there is one.


def test_nobody_who_may_come_back_reads_along_with_one_who_does_not(shared, stub, key):
    gateway = shared[0]
    stub.modes = ["wait", "ok"]
    stub.release.clear()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(gateway.call, RESPONSES, QUESTION, key, store=False, stream=True)
        while not any(key in call["head"].decode() for call in stub.calls[-1:]):
            pass
        second = pool.submit(gateway.call, RESPONSES, QUESTION, key, stream=True)
        stub.release.set()
        assert first.result()[1]["x-sosie-cache"] == "miss" and second.result()[1]["x-sosie-cache"] == "miss"


# Coding agents.


def test_a_nonce_in_the_first_block_of_instructions(ask):
    def system(nonce):
        line = f"x-anthropic-billing-header: cc_version=2.1.177.{nonce}; cc_entrypoint=cli; cch={nonce};"
        return [{"type": "text", "text": line}, {"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "ephemeral"}}]

    assert ask(MESSAGES, system=system("36ee5"))[0] == "miss"
    assert ask(MESSAGES, system=system("0aaa9"))[0] == "hit"
    assert ask(MESSAGES, system=[{"type": "text", "text": "x-anthropic-billing-header: Say no."}])[0] == "miss"


def test_sessions_and_what_only_streams_say(ask):
    tool = {"name": "weather", "input_schema": {"type": "object"}}

    def fields(session, **more):
        user = json.dumps({"device_id": "d", "account_uuid": "", "session_id": session})
        return {"metadata": {"user_id": user}, "tools": [{**tool, **more}]}

    assert ask(MESSAGES, **fields("1"))[0] == "miss"
    assert ask(MESSAGES, **fields("2", eager_input_streaming=True), stream=True)[0] == "hit"
    assert ask(RESPONSES, client_metadata={"x-codex-installation-id": "1"}, prompt_cache_key="1")[0] == "miss"
    assert ask(RESPONSES, client_metadata={"x-codex-installation-id": "2"}, prompt_cache_key="2")[0] == "hit"


def test_ignored_fields_within_others(start_gateway, upstream, tmp_path):
    config = tmp_path / "sosie.toml"
    config.write_text('[gateway]\nignored_fields = ["metadata.session", "extra.deep.nonce", "user"]\n')
    gateway = start_gateway(upstream.url, env={"SOSIE_CONFIG": str(config)})

    def fate(api, **fields):
        status, headers, body = gateway.call(api, QUESTION, "k", **fields)
        assert status == 200, body
        return headers["x-sosie-cache"]

    for api in CONVERSATIONS:
        one = {"max_tokens": 7} if api is not RESPONSES else {"max_output_tokens": 8}
        assert fate(api, metadata={"session": "1", "a": api.name}, **one) == "miss"
        assert fate(api, metadata={"session": "2", "a": api.name}, **one) == "hit"
        assert fate(api, metadata={"a": api.name}, **one) == "hit"
        assert fate(api, metadata={"session": "1", "a": "other"}, **one) == "miss"
        sent = json.loads(upstream.calls[-1]["body"])
        assert sent["metadata"] == {"session": "1", "a": "other"}  # The upstream gets them.
    assert fate(CHAT, extra={"deep": {"nonce": 1, "x": 2}}) == "miss"
    assert fate(CHAT, extra={"deep": {"nonce": 2, "x": 2}}) == "hit"
    assert fate(CHAT, extra={"deep": {"nonce": 2, "x": 3}}) == "miss"
    assert fate(CHAT, user="a", temperature=0) == "miss"
    assert fate(CHAT, user="b", temperature=0) == "hit"


@pytest.mark.parametrize(
    "field,why",
    [
        ("stream", "keeps no answers apart"), ("prompt_cache_key", "keeps no answers apart"), ("client_metadata.session", "keeps no answers apart"),
        ("max_completion_tokens", "name max_tokens"), ("stop_sequences", "name stop"), ("reasoning", "name reasoning_effort"),
        ("metadata.", "no name of a field"), (".user_id", "no name of a field"), ("a..b", "no name of a field"), ("messages.content", "changes every answer"),
    ],
)  # fmt: skip
def test_an_ignored_field_that_would_do_nothing_is_refused(sosie_bin, tmp_path, field, why):
    config = tmp_path / "sosie.toml"
    config.write_text(f'[gateway]\nignored_fields = ["{field}"]\n')
    ran = subprocess.run([sosie_bin, "--config", config, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data"], capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0 and why in ran.stderr, ran.stderr
