"""What users of LiteLLM, Bifrost, GPTCache, Portkey, Helicone, vLLM and their clients have met behind a cache or a gateway. Each situation has
a plain name; what an upstream says oddly is kept whole or not at all, and the next caller never gets anything else."""

import gzip
import json

import pytest
from apis import CHAT, MESSAGES, RESPONSES, events_of
from stub_upstream import completion
from stub_upstream.said import event

QUESTION = "How do I reset my password?"
OSLO, LIMA = '{"city":"Oslo"}', '{"city":"Lima"}'
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("weather", "get_time")]
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


# ── what an upstream says, in bytes ──────────────────────────────────────────────────────────────────────────────────


def as_json(value, *lines, status="200 OK"):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(data)}", *lines]).encode() + b"\r\n\r\n" + data


def as_events(*events, lines=(), done=True):
    """`done`: of the chat API, with its end, and before it the usage that the gateway asks for."""
    data = b"".join(each if isinstance(each, bytes) else event(each) for each in events)
    if done:
        used = b"" if b'"usage": {' in data else event({**chunk(), "choices": [], "usage": USAGE})
        data += used + b"data: [DONE]\n\n"
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/event-stream", f"Content-Length: {len(data)}", *lines]).encode() + b"\r\n\r\n" + data


def in_pieces(said, at):
    """The same answer, cut into two chunks at a place of its body."""
    body = said.split(b"\r\n\r\n", 1)[1]
    place = body.index(at) + 1
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:place], body[place:]))
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


def chunk(delta=None, finish=None, **more):
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-4o-2024-08-06", "choices": [choice], **more}


def calls(*deltas):
    return chunk({"tool_calls": list(deltas)})


def call(index, id=None, name=None, arguments=None, **more):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    given = {"index": index, "id": id, "type": "function" if id else None, "function": function}
    return {**{key: value for key, value in given.items() if value is not None}, **more}


def answered(finish="stop", usage=USAGE, choice=None, top=None, **message):
    answer = completion(message.pop("content", "An answer."), finish, **message)
    answer["choices"][0].update(choice or {})
    return {**answer, "usage": usage, **(top or {})}


HEAD, WORD, STOP = chunk({"role": "assistant", "content": ""}), chunk({"content": "An answer."}), chunk(finish="stop")
CALLS_END = chunk(finish="tool_calls")


# ── what the next caller hears ───────────────────────────────────────────────────────────────────────────────────────


class Heard:
    """An answer of the chat API as its clients put it together: by choice and by a call's index."""

    def __init__(self, headers, body, stream):
        self.headers, self.body = headers, body
        self.hit = headers.get("x-sosie-cache") == "hit"
        if not stream:
            answer = json.loads(body)
            self.message, self.finish = answer["choices"][0]["message"], answer["choices"][0]["finish_reason"]
            self.calls = [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in self.message.get("tool_calls") or []]
            self.usage, self.id, self.model, self.created = answer.get("usage"), answer["id"], answer["model"], answer["created"]
            return
        events = events_of(body)
        assert events[-1] == "[DONE]"
        chunks = events[:-1]
        self.message, self.finish, self.usage, by_index = {"content": ""}, None, None, {}
        (self.id,), (self.model,), (self.created,) = ({each[name] for each in chunks} for name in ("id", "model", "created"))
        for each in chunks:
            self.usage = each.get("usage") or self.usage
            for choice in each["choices"]:
                delta = choice["delta"]
                for name, value in delta.items():
                    if name == "tool_calls":
                        continue
                    if isinstance(value, str) and name != "role":
                        value = (self.message.get(name) or "") + value
                    self.message[name] = value
                self.finish = choice["finish_reason"] or self.finish
                for part in delta.get("tool_calls") or []:
                    kept = by_index.setdefault(part["index"], [None, "", ""])
                    kept[0] = part.get("id") or kept[0]
                    kept[1] += part["function"].get("name") or ""
                    assert isinstance(part["function"].get("arguments", ""), str)
                    kept[2] += part["function"].get("arguments") or ""
        self.calls = [tuple(kept) for _, kept in sorted(by_index.items())]


@pytest.fixture
def ask(shared, key):
    """ask(bytes of the upstream's answer or None, stream, …) -> (status, headers, body) of a chat."""
    gateway, stub = shared

    def ask(said=None, stream=False, api=CHAT, headers=None, **fields):
        if said is not None:
            stub.raw[api.path] = said
        try:
            return gateway.call(api, QUESTION, key, headers, **fields, **({"stream": True} if stream else {}))
        finally:
            stub.raw.pop(api.path, None)

    assert gateway.call(CHAT, QUESTION, f"{key}-before")[0] == 200  # Too many failures in a row, and the upstream is left alone.
    return ask


# ── streams with tool calls ──────────────────────────────────────────────────────────────────────────────────────────

BOTH = [("a", "weather", OSLO), ("b", "weather", LIMA)]

CALLS = {  # The events, and the calls that they are; None: they cannot be told, and nothing is kept.
    "two whole calls at index 0, each in an event of its own": ([calls(call(0, "a", "weather", OSLO)), calls(call(0, "b", "weather", LIMA))], BOTH),
    "three calls at index 0 of two functions": (
        [calls(call(0, "a", "weather", OSLO)), calls(call(0, "b", "get_time", "{}")), calls(call(0, "c", "weather", LIMA))],
        [("a", "weather", OSLO), ("b", "get_time", "{}"), ("c", "weather", LIMA)],
    ),
    "two calls at index 0, each in pieces": (
        [calls(call(0, "a", "weather", "")), calls(call(0, arguments='{"city":')), calls(call(0, arguments='"Oslo"}'))]
        + [calls(call(0, "b", "weather", "")), calls(call(0, arguments='{"city":')), calls(call(0, arguments='"Lima"}'))],
        BOTH,
    ),
    "two calls whose pieces take turns": (
        [calls(call(0, "a", "weather", "")), calls(call(1, "b", "weather", "")), calls(call(0, arguments='{"city":')), calls(call(1, arguments='{"city":'))]
        + [calls(call(0, arguments='"Oslo"}')), calls(call(1, arguments='"Lima"}'))],
        BOTH,
    ),
    "two calls begun in one event": ([calls(call(0, "a", "weather", OSLO), call(1, "b", "weather", LIMA))], BOTH),
    "an id said again with every piece": (
        [calls(call(0, "a", "weather", "")), calls(call(0, "a", arguments='{"city":')), calls(call(0, "a", arguments='"Oslo"}'))],
        [("a", "weather", OSLO)],
    ),
    "an id that comes with a later piece": ([calls(call(0, name="weather", arguments='{"city":')), calls(call(0, "a", arguments='"Oslo"}'))], [("a", "weather", OSLO)]),
    "an empty id in later pieces": (
        [calls(call(0, "a", "weather", "")), calls({**call(0, arguments=OSLO), "id": "", "type": "function"})],
        [("a", "weather", OSLO)],
    ),
    "null for what a piece does not have": (
        [calls(call(0, "a", "weather", "")), calls({"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": OSLO}})],
        [("a", "weather", OSLO)],
    ),
    "null arguments in the first piece": (
        [calls({"index": 0, "id": "a", "type": "function", "function": {"name": "weather", "arguments": None}}), calls(call(0, arguments=OSLO))],
        [("a", "weather", OSLO)],
    ),
    "a call that begins at index 1": ([calls(call(1, "a", "weather", OSLO))], [("a", "weather", OSLO)]),
    "a call behind a text": ([WORD, calls(call(0, "a", "weather", OSLO))], [("a", "weather", OSLO)]),
    "a null list of calls beside a text": ([chunk({"content": "An answer.", "tool_calls": None}), calls(call(0, "a", "weather", OSLO))], [("a", "weather", OSLO)]),
    "arguments cut off, though it says that the calls are whole": ([calls(call(0, "a", "weather", '{"city":"Os'))], None),
    "two objects in the arguments of one call": ([calls(call(0, "a", "weather", OSLO + LIMA))], None),
    "two calls at index 0 without ids": ([calls(call(0, name="weather", arguments=OSLO)), calls(call(0, name="weather", arguments=LIMA))], None),
}


@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then streamed"])
@pytest.mark.parametrize("name", CALLS)
def test_streamed_calls_stay_as_many_as_they_were(ask, name, again):
    events, wanted = CALLS[name]
    status, _, body = ask(as_events(HEAD, *events, CALLS_END), stream=True, tools=TOOLS)
    assert status == 200 and body.endswith(b"data: [DONE]\n\n")
    heard = Heard(*ask(stream=again, tools=TOOLS)[1:], again)
    assert heard.hit == (wanted is not None)
    if wanted:
        assert heard.calls == wanted and heard.finish == "tool_calls"


ODD_CALLS = {  # Kept or not, nothing else than this is ever heard.
    "a call without an index": ([calls({key: value for key, value in call(0, "a", "weather", OSLO).items() if key != "index"})], [("a", "weather", OSLO)]),
    "a name said again with every piece": ([calls(call(0, "a", "weather", '{"city":')), calls(call(0, "a", "weather", '"Oslo"}'))], [("a", "weather", OSLO)]),
    "no arguments for a function without parameters": ([calls(call(0, "a", "get_time", ""))], [("a", "get_time", "{}"), ("a", "get_time", "")]),
    "arguments as an object": ([calls({"index": 0, "id": "a", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}})], [("a", "weather", OSLO)]),
    "the finish that a text has": ([calls(call(0, "a", "weather", OSLO)), STOP], [("a", "weather", OSLO)]),
}


@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then streamed"])
@pytest.mark.parametrize("name", ODD_CALLS)
def test_odd_calls_are_kept_right_or_not_at_all(ask, name, again):
    events, right = ODD_CALLS[name]
    end = [] if STOP in events else [CALLS_END]
    assert ask(as_events(HEAD, *events, *end), stream=True, tools=TOOLS)[0] == 200
    heard = Heard(*ask(stream=again, tools=TOOLS)[1:], again)
    if heard.hit:
        assert len(heard.calls) == 1 and heard.calls[0] in right


WHOLE_CALLS = {
    "the finish that a text has": answered("stop", content=None, tool_calls=[{"id": "a", "type": "function", "function": {"name": "weather", "arguments": OSLO}}]),
    "arguments as an object of objects": answered(
        "tool_calls", content=None, tool_calls=[{"id": "a", "type": "function", "function": {"name": "weather", "arguments": {"city": {"name": "Oslo", "ids": [1, 2]}}}}]
    ),
    "no content member": {
        **completion(),
        "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": OSLO}}]}, "finish_reason": "tool_calls"}],
    },
    "an index in each call": answered("tool_calls", content="", tool_calls=[{"index": 0, "id": "a", "type": "function", "function": {"name": "weather", "arguments": OSLO}}]),
}


@pytest.mark.parametrize("name", WHOLE_CALLS)
def test_a_plain_answer_with_calls_is_streamed_as_clients_read_it(ask, name):
    assert ask(as_json(WHOLE_CALLS[name]), tools=TOOLS)[0] == 200
    heard = Heard(*ask(stream=True, tools=TOOLS)[1:], True)
    if heard.hit:
        (id, function, arguments), = heard.calls
        wanted = WHOLE_CALLS[name]["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
        assert (id, function) == ("a", "weather")
        assert json.loads(arguments) == (wanted if isinstance(wanted, dict) else json.loads(wanted))


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────────────────

DETAILED = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}, "prompt_cache_hit_tokens": 4}

USAGES = {
    "with the last piece": [HEAD, WORD, chunk(finish="stop", usage=DETAILED)],
    "in an event of its own": [HEAD, WORD, STOP, {**chunk(), "choices": [], "usage": DETAILED}],
    "with every piece, growing": [
        chunk({"role": "assistant", "content": "An"}, usage={**DETAILED, "completion_tokens": 1, "total_tokens": 12}),
        chunk({"content": " answer."}, usage={**DETAILED, "completion_tokens": 6, "total_tokens": 17}),
        chunk(finish="stop", usage=DETAILED),
    ],
    "null until the end": [{**HEAD, "usage": None}, {**WORD, "usage": None}, {**STOP, "usage": None}, {**chunk(), "choices": [], "usage": DETAILED}],
    "before the finish": [HEAD, WORD, {**chunk(), "choices": [], "usage": DETAILED}, STOP],
}


@pytest.mark.parametrize("name", USAGES)
def test_usage_that_comes(ask, name):
    ask(as_events(*USAGES[name]), stream=True, stream_options={"include_usage": True})
    plain = Heard(*ask()[1:], False)
    assert plain.hit and plain.usage == DETAILED and plain.message["content"] == "An answer."
    streamed = Heard(*ask(stream=True, stream_options={"include_usage": True})[1:], True)
    assert streamed.hit and streamed.usage == DETAILED


def test_who_does_not_ask_for_usage_gets_no_event_without_choices(ask):
    """Clients of every kind take `choices[0]` of each event."""
    ask(as_events(*USAGES["in an event of its own"]), stream=True, stream_options={"include_usage": True})
    _, headers, body = ask(stream=True)
    assert headers["x-sosie-cache"] == "hit" and all(each["choices"] for each in events_of(body)[:-1])


def test_who_asks_for_usage_gets_it_last_and_without_choices(ask):
    ask(as_json(answered()))
    _, headers, body = ask(stream=True, stream_options={"include_usage": True})
    *rest, last, done = events_of(body)
    assert headers["x-sosie-cache"] == "hit" and done == "[DONE]"
    assert last["choices"] == [] and last["usage"] == USAGE and all(each.get("usage") is None for each in rest)


@pytest.mark.parametrize("api", [CHAT, RESPONSES, MESSAGES], ids=repr)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_usage_is_numbers_in_every_api_after_a_stream_that_was_not_asked_for_any(shared, key, api, stream):
    """The clients' default is a stream without `stream_options`; `usage.total_tokens` is read of what comes next."""
    gateway, _ = shared
    gateway.call(CHAT, QUESTION, key, stream=True)
    more = {"store": False} if api is RESPONSES else {}
    if stream:
        more |= {"stream": True} | ({"stream_options": {"include_usage": True}} if api is CHAT else {})
    _, headers, body = gateway.call(api, QUESTION, key, **more)
    if headers["x-sosie-cache"] != "hit":
        return  # Asked anew: the upstream's own.
    answers = events_of(body) if stream else [json.loads(body)]
    found = [each for each in map(usage_of, answers) if each]
    assert found, "no usage"
    output = found[-1].get("completion_tokens", found[-1].get("output_tokens"))
    assert isinstance(output, int) and output > 0


def usage_of(answer):
    if not isinstance(answer, dict):
        return None
    return answer.get("usage") or (answer.get("response") or {}).get("usage") or (answer.get("message") or {}).get("usage")


# ── ids, names and times ─────────────────────────────────────────────────────────────────────────────────────────────

IDS = {
    "an event of a filter's results before all, with nothing in it": [
        {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
        HEAD,
        WORD,
        STOP,
    ],
    "nothing in the event of usage": [HEAD, WORD, STOP, {"id": "", "object": "chat.completion.chunk", "created": 0, "model": "", "choices": [], "usage": USAGE}],
    "null for them in the last": [HEAD, WORD, {**STOP, "id": None, "model": None, "created": None}],
    "left out after the first": [HEAD, {key: value for key, value in WORD.items() if key not in ("id", "model", "created")}, STOP],
}


@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then streamed"])
@pytest.mark.parametrize("name", IDS)
def test_what_says_nothing_overwrites_nothing(ask, name, again):
    ask(as_events(*IDS[name]), stream=True)
    heard = Heard(*ask(stream=again)[1:], again)
    assert heard.hit and heard.message["content"] == "An answer."
    assert heard.id and heard.created > 1_600_000_000 and heard.model == "gpt-4o-2024-08-06"


@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then streamed"])
def test_the_model_is_the_one_that_answered(ask, again):
    ask(as_json(answered(top={"model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_1"})))
    heard = Heard(*ask(stream=again)[1:], again)
    assert heard.hit and heard.model == "gpt-4o-2024-08-06" and heard.id.startswith("chatcmpl")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("api, prefix", [(CHAT, "chatcmpl"), (MESSAGES, "msg_")], ids=["chat", "messages"])
def test_an_id_has_the_form_of_its_api(shared, key, api, prefix, stream):
    gateway, _ = shared
    gateway.call(CHAT if api is MESSAGES else MESSAGES, QUESTION, key)
    _, headers, body = gateway.call(api, QUESTION, key, **({"stream": True} if stream else {}))
    assert headers["x-sosie-cache"] == "hit"
    first = events_of(body)[0] if stream else json.loads(body)
    assert first.get("message", first)["id"].startswith(prefix)


# ── streams in odd pieces ────────────────────────────────────────────────────────────────────────────────────────────

PIECES = {  # Events, and the content that they are.
    "the finish with the last word": ([HEAD, chunk({"content": "An answer."}, "stop")], "An answer."),
    "an empty finish until the end": ([chunk({"role": "assistant", "content": "An "}, ""), chunk({"content": "answer."}, ""), STOP], "An answer."),
    "the role with every piece": ([chunk({"role": "assistant", "content": "An "}), chunk({"role": "assistant", "content": "answer."}), STOP], "An answer."),
    "no role at all": ([chunk({"content": "An "}), chunk({"content": "answer."}), STOP], "An answer."),
    "a null content before and behind": ([chunk({"role": "assistant", "content": None}), WORD, chunk({"content": None}, "stop")], "An answer."),
    "a null delta with the finish": ([HEAD, WORD, {**STOP, "choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}], "An answer."),
    "events without choices in between": ([HEAD, {**chunk(), "choices": []}, WORD, {**chunk(), "choices": []}, STOP], "An answer."),
    "comments that keep the line open": ([b": PROCESSING\n\n", HEAD, b": PROCESSING\n\n", WORD, STOP], "An answer."),
    "a name before each event": ([b"event: message\n" + event(each) for each in (HEAD, WORD, STOP)], "An answer."),
    "ids and retry lines": ([b"id: 1\nretry: 100\n" + event(HEAD), b"id: 2\n" + event(WORD), event(STOP)], "An answer."),
    "an answer over several lines": ([HEAD, b"data: " + json.dumps(WORD, indent=1).replace("\n", "\ndata: ").encode() + b"\n\n", STOP], "An answer."),
    "a thumb of two pieces": ([HEAD, chunk({"content": "\U0001f44d"}), chunk({"content": "\U0001f3fd"}), STOP], "\U0001f44d\U0001f3fd"),
    "right to left, and signs beyond the first plane": ([HEAD, chunk({"content": "שלום 你好 𝔘 \u2028 \u0000"}), STOP], "שלום 你好 𝔘 \u2028 \u0000"),
    "an obfuscation beside the choices": ([chunk({"content": "An answer."}, obfuscation="aB3"), STOP], "An answer."),
}


@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then streamed"])
@pytest.mark.parametrize("name", PIECES)
def test_a_stream_in_odd_pieces_is_kept(ask, name, again):
    events, text = PIECES[name]
    assert ask(as_events(*events), stream=True)[0] == 200
    heard = Heard(*ask(stream=again)[1:], again)
    assert heard.hit and heard.message["content"] == text and heard.finish == "stop"
    assert heard.message["role"] == "assistant"


def test_a_character_that_is_cut_between_two_pieces_of_the_line(ask):
    events = as_events(HEAD, b"data: " + json.dumps(chunk({"content": "Grüße 👍"}), ensure_ascii=False).encode() + b"\n\n", STOP)
    ask(in_pieces(events, "👍".encode()), stream=True)
    heard = Heard(*ask()[1:], False)
    assert heard.hit and heard.message["content"] == "Grüße 👍"


HALVES = {  # What is not whole: passed on, and asked anew.
    "half a character in each of two events": [HEAD, b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}\n\n', STOP],
    "its end, but no finish": [HEAD, WORD],
    "reasoning, its end, but no answer": [HEAD, chunk({"reasoning_content": "Let me think"})],
    "a finish, but nothing said": [HEAD, STOP],
    "nothing but white space": [HEAD, chunk({"content": " \n "}), STOP],
    "an error that the router says in a piece": [HEAD, WORD, {**chunk({"content": ""}, "error"), "error": {"code": "server_error", "message": "Provider disconnected"}}],
    "a finish that is an error": [HEAD, WORD, chunk(finish="error")],
    "a finish of a limit": [HEAD, WORD, chunk(finish="length")],
    "an error before anything": [{"error": {"message": "Overloaded", "code": 529}}],
    "a detail and no choices": [{"detail": "Not authenticated"}],
}


@pytest.mark.parametrize("name", HALVES)
def test_what_is_not_whole_is_asked_anew(ask, name):
    said = as_events(*HALVES[name])
    status, headers, body = ask(said, stream=True)
    assert status == 200 and "stored" not in headers.get("cache-status", "")
    assert body.startswith(said.split(b"\r\n\r\n", 1)[1][:40])
    assert not Heard(*ask()[1:], False).hit


NOT_WHOLE = {
    "choices that are null": {"id": "x", "object": "chat.completion", "choices": None, "error": {"message": "no credit", "code": 402}},
    "an error in the choice": answered("error", choice={"error": {"message": "Provider returned error", "code": 502}}),
    "a message that is null": answered(choice={"message": None}),
    "a finish of null": answered(None),
    "nothing said and no calls": answered(content=None, tool_calls=[]),
    "white space": answered(content="\n\n"),
    "a list for an answer": [answered()],
    "a status of failure inside": {"status": "failed", "detail": "Internal error"},
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_is_no_answer_is_passed_on_and_asked_anew(ask, name):
    said = as_json(NOT_WHOLE[name])
    status, _, body = ask(said)
    assert status == 200 and body == said.split(b"\r\n\r\n", 1)[1]
    assert not Heard(*ask()[1:], False).hit


# ── what stands beside the text ──────────────────────────────────────────────────────────────────────────────────────

BESIDE = {
    "reasoning_content": "Let me think.",
    "reasoning": "Let me think.",
    "annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2, "title": "t", "url": "https://example.org"}}],
    "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    "audio": {"id": "audio_1", "data": "AAAA", "expires_at": 1, "transcript": "An answer."},
    "refusal": None,
    "function_call": None,
    "tool_calls": [],
    "provider_specific_fields": {"citations": None},
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_a_plain_answer_has_beside_its_text_is_there_again(ask, name):
    ask(as_json(answered(**{name: BESIDE[name]})))
    heard = Heard(*ask()[1:], False)
    assert heard.hit and heard.message["content"] == "An answer." and heard.message[name] == BESIDE[name]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_streamed_again(ask, name):
    ask(as_events(HEAD, chunk({name: "Let me "}), chunk({name: "think."}), WORD, STOP), stream=True)
    for again in (True, False):
        heard = Heard(*ask(stream=again)[1:], again)
        assert heard.hit and heard.message[name] == "Let me think." and heard.message["content"] == "An answer."


@pytest.mark.parametrize("name", ["annotations", "images", "audio"])
def test_what_a_stream_has_beside_its_text_is_never_lost(ask, name):
    ask(as_events(HEAD, WORD, chunk({name: BESIDE[name]}), STOP), stream=True)
    heard = Heard(*ask()[1:], False)
    if heard.hit:
        assert heard.message[name] == BESIDE[name]


# ── headers, encodings, statuses ─────────────────────────────────────────────────────────────────────────────────────

PERSONAL = ["Set-Cookie: session=secret", "x-ratelimit-remaining-requests: 3", "openai-organization: org-1", "Retry-After: 3", "cf-ray: 1", "x-request-id: req-of-another"]


@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then streamed"])
def test_a_hit_has_nothing_of_the_connection_it_came_by(ask, again):
    _, first, _ = ask(as_json(answered(), *PERSONAL))
    assert first["set-cookie"] == "session=secret"
    _, headers, body = ask(stream=again)
    assert headers["x-sosie-cache"] == "hit"
    assert not {"set-cookie", "x-ratelimit-remaining-requests", "retry-after", "cf-ray", "content-encoding"} & set(headers)
    assert headers.get("x-request-id") != "req-of-another"
    assert headers["content-type"].startswith("text/event-stream" if again else "application/json")
    assert ("transfer-encoding" in headers) != ("content-length" in headers)


def test_an_answer_that_came_compressed_is_readable_again(ask):
    data = gzip.compress(json.dumps(answered()).encode())
    said = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    _, headers, body = ask(said, headers={"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip" and json.loads(gzip.decompress(body)) == answered()
    heard = Heard(*ask()[1:], False)
    assert heard.message["content"] in ("An answer.",) or not heard.hit


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "402 Pay", "408 Late", "413 Large", "422 Odd", "429 Slow", "500 Broken", "502 Bad", "503 Busy", "529 Over"])
def test_a_failure_is_the_upstreams_own_and_is_not_repeated(ask, status):
    said = as_json({"error": {"message": "no", "type": "x", "code": None, "param": None}}, "Retry-After: 7", status=status)
    code, headers, body = ask(said)
    assert code == int(status[:3]) and headers["retry-after"] == "7" and json.loads(body)["error"]["message"] == "no"
    code, headers, _ = ask()
    assert (code, headers["x-sosie-cache"]) == (200, "miss")
    assert ask()[1]["x-sosie-cache"] == "hit"


@pytest.mark.parametrize("status", ["500 Broken", "429 Slow"])
def test_a_failure_of_a_stream_is_no_stream(ask, status):
    said = as_json({"error": {"message": "no", "type": "x", "code": None, "param": None}}, status=status)
    code, headers, body = ask(said, stream=True)
    assert code == int(status[:3]) and headers["content-type"] == "application/json" and b"data:" not in body


# ── what is the same request, and what is not ────────────────────────────────────────────────────────────────────────

SAME_HEADERS = {
    "a trace of B3": {"b3": "@-1", "x-b3-traceid": "@", "x-b3-spanid": "@"},
    "a trace of Sentry": {"sentry-trace": "@-1-1", "baggage": "sentry-trace_id=@"},
    "a trace of Datadog": {"x-datadog-trace-id": "@", "x-datadog-parent-id": "@"},
    "a trace of a cloud": {"x-cloud-trace-context": "@/1;o=1", "x-amzn-trace-id": "Root=@"},
    "a load balancer": {"x-forwarded-for": "10.0.0.@", "x-real-ip": "10.0.0.@", "x-forwarded-port": "@", "via": "1.1 lb-@"},
    "a content delivery network": {"cf-ray": "@", "cf-connecting-ip": "10.0.0.@"},
    "another version of the client": {"user-agent": "OpenAI/Python 2.@", "x-stainless-package-version": "2.@", "x-stainless-retry-count": "@"},
    "a coding agent's session": {"x-claude-code-session-id": "@", "x-session-affinity": "@"},
    "another agent's session": {"session-id": "@", "thread-id": "@"},
}


@pytest.mark.parametrize("name", SAME_HEADERS)
def test_what_changes_with_every_request_keeps_nobody_apart(ask, name):
    first, second = ({header: value.replace("@", number) for header, value in SAME_HEADERS[name].items()} for number in ("7", "8"))
    ask(headers=first)
    assert ask(headers=second)[1]["x-sosie-cache"] == "hit"


@pytest.fixture
def post(shared, key):
    """post(body) -> x-sosie-cache of a chat, the body as it is."""
    gateway, _ = shared

    def post(body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer, _ = gateway.request("POST", CHAT.path, data, {"Authorization": f"Bearer {key}", **headers})
        assert status == 200
        return answer["x-sosie-cache"]

    return post


def user(content=QUESTION, *before, **fields):
    return {"model": "m", "messages": [*before, {"role": "user", "content": content}], **fields}


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
SYSTEM = {"role": "system", "content": "You are A."}
TURN = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]
CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": OSLO}}]}

SAME = {
    "members in another order": (user(temperature=0.5, top_p=0.9), b'{"top_p":0.9,"messages":[{"content":"%b","role":"user"}],"temperature":0.5,"model":"m"}' % QUESTION.encode()),
    "white space and escapes": (user("Grüße?"), b'{ "model" : "m",\n"messages":[ {"role":"user","content":"Gr\\u00fc\\u00dfe?"} ] }'),
    "an exponent": (user(temperature=0.5), b'{"model":"m","messages":[{"role":"user","content":"%b"}],"temperature":5e-1}' % QUESTION.encode()),
    "a text as a list of one": (user(), user([{"type": "text", "text": QUESTION}])),
    "null for what is not given": (user(), user(temperature=None, tools=None, stop=None, response_format=None)),
    "how usage is streamed": (user(), user(stream=True, stream_options={"include_usage": True})),
    "the name of a provider's cache": (user(), user(prompt_cache_key="conversation-7")),
    "an empty list of tools": (user(), user(tools=[])),
    "a mark of what the provider caches": (user([{"type": "text", "text": QUESTION}]), user([{"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}])),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_request_hits(post, name):
    first, second = SAME[name]
    assert (post(first), post(second)) == ("miss", "hit")


DIFFERENT = {
    "another system prompt": (user(QUESTION, SYSTEM), user(QUESTION, {**SYSTEM, "content": "You are B."})),
    "a system prompt that differs in its last word only": (user(QUESTION, {**SYSTEM, "content": "x " * 4000 + "yes"}), user(QUESTION, {**SYSTEM, "content": "x " * 4000 + "no"})),
    "another image with the same words": (
        user([{"type": "text", "text": QUESTION}, IMAGE]),
        user([{"type": "text", "text": QUESTION}, {**IMAGE, "image_url": {"url": "https://example.org/b.png"}}]),
    ),
    "the detail of an image": (
        user([{"type": "text", "text": QUESTION}, IMAGE]),
        user([{"type": "text", "text": QUESTION}, {**IMAGE, "image_url": {**IMAGE["image_url"], "detail": "low"}}]),
    ),
    "an earlier answer": (user(QUESTION, *TURN), user(QUESTION, TURN[0], {**TURN[1], "content": "Go away."})),
    "the same words in another turn": (user(QUESTION, *TURN), user(QUESTION)),
    "what a tool returned": (
        {"model": "m", "messages": [{"role": "user", "content": QUESTION}, CALLED, {"role": "tool", "tool_call_id": "a", "content": "20°"}]},
        {"model": "m", "messages": [{"role": "user", "content": QUESTION}, CALLED, {"role": "tool", "tool_call_id": "a", "content": "-20°"}]},
    ),
    "a schema of the answer": (
        user(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}),
        user(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}}),
    ),
    "a description of a tool": (user(tools=[TOOLS[0]]), user(tools=[{**TOOLS[0], "function": {**TOOLS[0]["function"], "description": "in Kelvin"}}])),
    "how much it thinks": (user(reasoning_effort="low"), user(reasoning_effort="high")),
    "a bias of words": (user(logit_bias={"50256": -100}), user(logit_bias={"50256": 100})),
    "a number beyond what floats hold": (user(seed=9007199254740992), user(seed=9007199254740993)),
    "hidden signs": (user("Is the therapist in?"), user("Is the the\u200brapist in?")),
    "a number in the question": (user("Restart port 8080 with 😀", SYSTEM), user("Restart port 8080 with 🙃", SYSTEM)),
    "what stands beyond the window": (user("word " * 600 + "yes"), user("word " * 600 + "no")),
    "numbers of tokens": (user("max 10", max_tokens=10), user("max 10", max_tokens=1000)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_request_misses(post, name):
    first, second = DIFFERENT[name]
    assert (post(first), post(second)) == ("miss", "miss")
    assert (post(first), post(second)) == ("hit", "hit")


BODIES = {
    "compressed by gzip": (gzip.compress, {"Content-Encoding": "gzip"}),
    "not compressed, and said so": (bytes, {"Content-Encoding": "identity"}),
    "with a charset": (bytes, {"Content-Type": "application/json; charset=utf-8"}),
    "without a type": (bytes, {"Content-Type": "text/plain"}),
    "with a mark in front": (lambda data: b"\xef\xbb\xbf" + data, {}),
    "with white space around": (lambda data: b"\r\n  " + data + b"\r\n", {}),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_sent_otherwise_is_the_same_question(shared, key, name):
    gateway, _ = shared
    encode, headers = BODIES[name]
    body = json.dumps(CHAT.ask(QUESTION)).encode()
    assert gateway.request("POST", CHAT.path, body, CHAT.headers(key))[0] == 200
    status, answer, said = gateway.request("POST", CHAT.path, encode(body), {**CHAT.headers(key), **headers})
    assert status == 200, said
    if name not in ("with a mark in front", "without a type"):  # Those the upstream may judge.
        assert answer["x-sosie-cache"] == "hit"


# ── the other APIs ───────────────────────────────────────────────────────────────────────────────────────────────────


def message_events(*blocks, stop="end_turn", usage=None):
    """Blocks: (start, deltas)."""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
    events = [{"type": "message_start", "message": start}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage or {"output_tokens": 5}})
    return [event(each, each["type"]) for each in [*events, {"type": "message_stop"}]]


def partial(*pieces):
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
A_TEXT = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "An answer."}])
ANTHROPIC_TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("weather", "get_time")]

MESSAGE_STREAMS = {
    "an input in pieces, the first of them empty": ([(TOOL_USE, partial("", '{"city"', ': "Oslo"}'))], "tool_use", [{**TOOL_USE, "input": {"city": "Oslo"}}]),
    "no input at all": ([({**TOOL_USE, "name": "get_time"}, [])], "tool_use", [{**TOOL_USE, "name": "get_time"}]),
    "an input of one empty piece": ([({**TOOL_USE, "name": "get_time"}, partial(""))], "tool_use", [{**TOOL_USE, "name": "get_time"}]),
    "two tools behind a text": (
        [A_TEXT, (TOOL_USE, partial(OSLO)), ({**TOOL_USE, "id": "toolu_2"}, partial(LIMA))],
        "tool_use",
        [{"type": "text", "text": "An answer."}, {**TOOL_USE, "input": {"city": "Oslo"}}, {**TOOL_USE, "id": "toolu_2", "input": {"city": "Lima"}}],
    ),
    "thinking with its signature": (
        [
            ({"type": "thinking", "thinking": "", "signature": ""}, [{"type": "thinking_delta", "thinking": "Hm."}, {"type": "signature_delta", "signature": "c2ln"}]),
            A_TEXT,
        ],
        "end_turn",
        [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "An answer."}],
    ),
}


@pytest.mark.parametrize("name", MESSAGE_STREAMS)
def test_streamed_messages_are_whole_again(ask, name):
    blocks, stop, content = MESSAGE_STREAMS[name]
    ask(as_events(*message_events(*blocks, stop=stop), done=False), stream=True, api=MESSAGES, tools=ANTHROPIC_TOOLS)
    _, headers, body = ask(api=MESSAGES, tools=ANTHROPIC_TOOLS)
    answer = json.loads(body)
    assert headers["x-sosie-cache"] == "hit" and answer["content"] == content and answer["stop_reason"] == stop
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (9, 5)


MESSAGE_HALVES = {
    "an input that is cut off": message_events((TOOL_USE, partial('{"city": "Os')), stop="tool_use"),
    "pings and nothing else": [event({"type": "ping"}, "ping")],
    "a message without blocks": message_events(),
    "two messages in one stream": [*message_events(A_TEXT), *message_events(A_TEXT)],
}


@pytest.mark.parametrize("name", MESSAGE_HALVES)
def test_messages_that_are_not_whole_are_asked_anew(ask, name):
    assert ask(as_events(*MESSAGE_HALVES[name], done=False), stream=True, api=MESSAGES, tools=ANTHROPIC_TOOLS)[0] == 200
    assert ask(api=MESSAGES, tools=ANTHROPIC_TOOLS)[1]["x-sosie-cache"] == "miss"


@pytest.mark.parametrize("usage", [{"output_tokens": 5, "input_tokens": 9, "cache_read_input_tokens": 3}, {"output_tokens": 5, "cache_creation_input_tokens": 8}])
def test_what_a_provider_cached_is_told_again(ask, usage):
    ask(as_events(*message_events(A_TEXT, usage=usage), done=False), stream=True, api=MESSAGES)
    answer = json.loads(ask(api=MESSAGES)[2])
    assert {**answer["usage"], **usage} == answer["usage"] and answer["usage"]["input_tokens"] == 9


def response_events(*items, output=None, status="completed"):
    base = {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": "gpt-x", "status": "in_progress", "output": [], "error": None}
    events = [{"type": "response.created", "response": base}]
    for index, (item, deltas) in enumerate(items):
        events.append({"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}})
        events += [{"output_index": index, "item_id": item["id"], **delta} for delta in deltas]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    whole = [item for item, _ in items] if output is None else output
    usage = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14, "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    events.append({"type": f"response.{status}", "response": {**base, "status": status, "output": whole, "usage": usage}})
    return [event({**each, "sequence_number": number}, each["type"]) for number, each in enumerate(events)]


def function_call(number, arguments):
    item = {"id": f"fc_{number}", "type": "function_call", "call_id": f"call_{number}", "name": "weather", "arguments": arguments, "status": "completed"}
    deltas = [{"type": "response.function_call_arguments.delta", "delta": arguments}, {"type": "response.function_call_arguments.done", "arguments": arguments}]
    return item, deltas


SAYING = (
    {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "An answer.", "annotations": []}]},
    [{"type": "response.output_text.delta", "content_index": 0, "delta": "An answer."}],
)

RESPONSE_STREAMS = {
    "two calls at once": [function_call(1, OSLO), function_call(2, LIMA)],
    "reasoning before a text": [({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"}, []), SAYING],
    "a text and a call": [SAYING, function_call(1, OSLO)],
}
RESPONSE_TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]


@pytest.mark.parametrize("name", RESPONSE_STREAMS)
def test_streamed_responses_are_whole_again(ask, name):
    items = RESPONSE_STREAMS[name]
    ask(as_events(*response_events(*items), done=False), stream=True, api=RESPONSES, tools=RESPONSE_TOOLS)
    _, headers, body = ask(api=RESPONSES, tools=RESPONSE_TOOLS)
    answer = json.loads(body)
    assert headers["x-sosie-cache"] == "hit" and answer["output"] == [item for item, _ in items] and answer["status"] == "completed"
    _, headers, body = ask(stream=True, api=RESPONSES, tools=RESPONSE_TOOLS)
    events = events_of(body)
    done = [each["item"] for each in events if each["type"] == "response.output_item.done"]
    assert headers["x-sosie-cache"] == "hit" and [each["type"] for each in done] == [item["type"] for item, _ in items]
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert events[-1]["response"]["usage"]["total_tokens"] == 14


RESPONSE_HALVES = {
    "arguments that are cut off": response_events(function_call(1, '{"city": "Os')),
    "an end that failed": response_events(SAYING, status="failed"),
    "an end that is incomplete": response_events(SAYING, status="incomplete"),
    "a background job that is queued": [event({"type": "response.queued", "response": {"id": "resp_1", "status": "queued", "output": []}})],
}


@pytest.mark.parametrize("name", RESPONSE_HALVES)
def test_responses_that_are_not_whole_are_asked_anew(ask, name):
    assert ask(as_events(*RESPONSE_HALVES[name], done=False), stream=True, api=RESPONSES, tools=RESPONSE_TOOLS)[0] == 200
    assert ask(api=RESPONSES, tools=RESPONSE_TOOLS)[1]["x-sosie-cache"] == "miss"


def test_a_background_response_is_not_an_answer(ask):
    queued = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "queued", "output": [], "error": None, "usage": None}
    ask(as_json(queued), api=RESPONSES, background=True)
    status, headers, body = ask(api=RESPONSES, background=True)
    assert status == 200 and headers["x-sosie-cache"] != "hit" and json.loads(body)["status"] == "completed"


# ── callers and their sessions ───────────────────────────────────────────────────────────────────────────────────────


def test_two_callers_with_one_question_each_get_their_own_answer(shared, key):
    gateway, _ = shared
    mine = [gateway.call(CHAT, QUESTION, f"{key}-{who}")[2] for who in "ab"]
    again = [gateway.call(CHAT, QUESTION, f"{key}-{who}") for who in "ab"]
    for who, first, (_, headers, body) in zip("ab", mine, again):
        assert headers["x-sosie-cache"] == "hit" and CHAT.said(body) == CHAT.said(first) and f"for {key}-{who} " in CHAT.said(body)


def test_a_long_conversation_goes_on_from_turn_to_turn(shared, key):
    """Every turn asks anew, every turn said again is a hit, and none is the answer to another."""
    gateway, _ = shared

    def play():
        messages, seen = [SYSTEM], []
        for turn in range(8):
            messages.append({"role": "user", "content": "And what comes next?"})
            _, headers, body = gateway.request("POST", CHAT.path, {"model": "m", "messages": messages}, CHAT.headers(key))
            messages.append({"role": "assistant", "content": CHAT.said(body)})
            seen.append((headers["x-sosie-cache"], CHAT.said(body)))
        return seen

    first, second = play(), play()
    assert [cache for cache, _ in first] == ["miss"] * 8 and len({text for _, text in first}) == 8
    assert second == [("hit", text) for _, text in first]


def test_an_agent_that_calls_a_tool_gets_the_answer_to_its_result(shared, key):
    gateway, stub = shared

    def ask(result):
        messages = [{"role": "user", "content": QUESTION}, CALLED, {"role": "tool", "tool_call_id": "a", "content": result}]
        return gateway.request("POST", CHAT.path, {"model": "m", "messages": messages, "tools": TOOLS}, CHAT.headers(key))

    before = stub.count(CHAT.path)
    for result in ("20°", "21°", "20°", "21°"):
        assert ask(result)[0] == 200
    assert stub.count(CHAT.path) == before + 2


def test_the_same_session_of_the_api_is_not_gone_on_with_by_another(shared, key):
    gateway, _ = shared
    first = gateway.call(RESPONSES, QUESTION, key, previous_response_id="resp_1")
    other = gateway.call(RESPONSES, QUESTION, key, previous_response_id="resp_2")
    assert (first[1]["x-sosie-cache"], other[1]["x-sosie-cache"]) == ("miss", "miss")


def test_a_conversation_kept_by_the_upstream_is_not_ours_to_repeat(shared, key):
    gateway, _ = shared
    for conversation in ("conv_1", "conv_2", "conv_1"):
        assert gateway.call(RESPONSES, QUESTION, key, conversation=conversation)[1]["x-sosie-cache"] != "hit"


# ── methods and paths ────────────────────────────────────────────────────────────────────────────────────────────────

PATHS = {
    "HEAD of the first page": ("HEAD", "/", None),
    "HEAD of the list of models": ("HEAD", "/v1/models", None),
    "a count of tokens": ("POST", "/v1/messages/count_tokens", {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}),
    "a stored answer read again": ("GET", "/v1/responses/resp_1", None),
    "a file's content": ("GET", "/v1/files/file-1/content", None),
    "a rerank": ("POST", "/v1/rerank", {"model": "m", "query": QUESTION, "documents": ["a"]}),
    "a moderation": ("POST", "/v1/moderations", {"input": QUESTION}),
}


@pytest.mark.parametrize("name", PATHS)
def test_other_paths_are_the_upstreams(shared, key, name):
    gateway, _ = shared
    method, path, body = PATHS[name]
    status, _, _ = gateway.request(method, path, body, CHAT.headers(key))
    assert 200 <= status < 300


def test_a_slash_at_the_end_is_the_same_path(shared, key):
    gateway, _ = shared
    assert gateway.call(CHAT, QUESTION, key)[1]["x-sosie-cache"] == "miss"
    status, headers, _ = gateway.request("POST", CHAT.path + "/", CHAT.ask(QUESTION), CHAT.headers(key))
    assert (status, headers["x-sosie-cache"]) == (200, "hit")


UNREAD = {
    "the input of another API": {"model": "m", "input": QUESTION},
    "a number beyond 64 bits": b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":123456789012345678901234567890}',
    "half a character": b'{"model":"m","messages":[{"role":"user","content":"x \\ud83d y"}]}',
    "a role that nobody knows": {"model": "m", "messages": [{"role": "critic", "content": QUESTION}]},
    "a content of a number": {"model": "m", "messages": [{"role": "user", "content": 5}]},
    "no messages": {"model": "m", "messages": []},
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_we_cannot_read_the_upstream_judges(shared, key, name):
    gateway, stub = shared
    before = stub.count(CHAT.path)
    for _ in range(2):
        status, headers, _ = gateway.request("POST", CHAT.path, UNREAD[name], CHAT.headers(key))
        assert status == 200 and headers["x-sosie-cache"] != "hit"
    assert stub.count(CHAT.path) == before + 2
