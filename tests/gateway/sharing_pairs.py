"""Pairs of requests, and whether the second may be answered with the first one's answer."""

import dataclasses
import json

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"
OTHER = "What is the tallest mountain in Norway?"
PIXEL, OTHER_PIXEL = "data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgp="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "integer"}}, "required": ["city"]}
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
}


@dataclasses.dataclass
class Request:
    """`body`: bytes. `key`: of the test's, by the header that `key_header` says; None: none at all."""

    api: str
    body: bytes
    headers: dict = dataclasses.field(default_factory=dict)
    key_header: str | None = "authorization"
    key: str = ""
    query: str = ""


@dataclasses.dataclass
class Pair:
    """`share`: the second request costs no upstream call. `repeats`: neither does the first one, asked again."""

    name: str
    share: bool
    first: Request
    second: Request
    repeats: bool = True


def user(text):
    return {"role": "user", "content": text}


def send(api, body, **how):
    return Request(api, body if isinstance(body, bytes) else json.dumps(body).encode(), **how)


def without_absent(body):
    return {name: value for name, value in body.items() if value is not ...}


def chat(text=QUESTION, headers=None, key_header="authorization", key="", query="", **fields):
    """A field that is `...` is left out."""
    body = without_absent({"model": "m", "messages": [user(text)], **fields})
    return send("chat", body, headers=headers or {}, key_header=key_header, key=key, query=query)


def responses(asked=QUESTION, headers=None, **fields):
    return send("responses", without_absent({"model": "m", "input": asked, **fields}), headers=headers or {})


def messages(text=QUESTION, headers=None, **fields):
    return send("messages", without_absent({"model": "m", "max_tokens": 100, "messages": [user(text)], **fields}), headers=headers or {}, key_header="x-api-key")


def completions(text=QUESTION, **fields):
    return send("completions", {"model": "m", "prompt": text, **fields})


def embeddings(text=QUESTION, **fields):
    return send("embeddings", {"model": "text-embedding-9", "input": text, **fields})


def chat_tool(name="weather", description="Of a city.", parameters=SCHEMA, **more):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters, **more}}


def chat_call(arguments='{"city": "Oslo"}', id="call_1"):
    return {"role": "assistant", "content": None, "tool_calls": [{"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}]}


def chat_result(text="Rain.", id="call_1"):
    return {"role": "tool", "tool_call_id": id, "content": text}


def image(url, **more):
    return [{"type": "text", "text": "What is in the picture?"}, {"type": "image_url", "image_url": {"url": url, **more}}]


def audio(data):
    return [{"type": "text", "text": "What does she say?"}, {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]


def file(data):
    return [{"type": "text", "text": "What does it say?"}, {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]


TALK = [user("Hello"), {"role": "assistant", "content": "Hello! What can I do for you?"}]
TALK_OF_RESPONSES = [user("Hello"), {"role": "assistant", "content": [{"type": "output_text", "text": "Hello! What can I do for you?"}]}]
LONG = "This is the protocol of a long meeting about a budget. " * 60
FORMAT = {"name": "answer", "schema": SCHEMA, "strict": True}
LIST_FORMAT = {"name": "answer", "schema": {**SCHEMA, "required": ["day"]}, "strict": True}

SAME = [
    # Of the same API.
    Pair("the same", True, chat(), chat()),
    Pair("other words", True, chat(), chat(PARAPHRASE)),
    Pair("capitals", True, chat(), chat(QUESTION.upper())),
    Pair("blanks around it", True, chat(), chat(f"  {QUESTION}\n")),
    Pair("order of keys", True, chat(temperature=0.5, seed=1), send("chat", b'{"seed":1,"messages":[{"content":"%s","role":"user"}],"temperature":0.5,"model":"m"}' % QUESTION.encode())),
    Pair("white space", True, chat(), send("chat", b'{ "model" :\t"m",\r\n "messages": [ { "role":"user" , "content": "%s" } ] }' % QUESTION.encode())),
    Pair("escapes", True, chat(), send("chat", b'{"\\u006dodel":"\\u006d","messages":[{"role":"\\u0075ser","content":"\\u0048ow do I reset my password?"}]}')),
    Pair("temperature: 1 said", True, chat(), chat(temperature=1)),
    Pair("temperature: 1.0 said", True, chat(temperature=1.0), chat()),
    Pair("temperature: 0 and 0.0", True, chat(temperature=0), send("chat", b'{"model":"m","temperature":0.0,"messages":[{"role":"user","content":"%s"}]}' % QUESTION.encode())),
    Pair("temperature: 0.5 and 5e-1", True, chat(temperature=0.5), send("chat", b'{"model":"m","temperature":5e-1,"messages":[{"role":"user","content":"%s"}]}' % QUESTION.encode())),
    Pair("max_tokens: 50 and 50.0", True, chat(max_tokens=50), send("chat", b'{"model":"m","max_tokens":50.0,"messages":[{"role":"user","content":"%s"}]}' % QUESTION.encode())),
    Pair("top_p: 1 said", True, chat(), chat(top_p=1)),
    Pair("n: 1 said", True, chat(), chat(n=1)),
    Pair("penalties: 0 said", True, chat(), chat(presence_penalty=0, frequency_penalty=0.0)),
    Pair("logprobs: false said", True, chat(), chat(logprobs=False)),
    Pair("nulls", True, chat(), chat(seed=None, stop=None, tools=None, max_tokens=None, user=None, response_format=None)),
    Pair("stream", True, chat(), chat(stream=True)),
    Pair("stream with usage", True, chat(stream=True, stream_options={"include_usage": True}), chat()),
    Pair("stream, then plain", True, chat(stream=True), chat()),
    Pair("completions: stream, then plain", True, completions(stream=True), completions()),
    Pair("stream: false said", True, chat(), chat(stream=False)),
    Pair("store: false said", True, chat(), chat(store=False)),
    Pair("prompt_cache_key", True, chat(), chat(prompt_cache_key="k")),
    Pair("a part for a string", True, chat(), chat([{"type": "text", "text": QUESTION}])),
    Pair("two parts for two lines", True, chat("First line.\nSecond line."), chat([{"type": "text", "text": "First line."}, {"type": "text", "text": "Second line."}])),
    Pair("a part for the system's string", True, chat(messages=[{"role": "system", "content": "Be brief."}, user(QUESTION)]), chat(messages=[{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, user(PARAPHRASE)])),
    Pair("developer for system", True, chat(messages=[{"role": "system", "content": "Be brief."}, user(QUESTION)]), chat(messages=[{"role": "developer", "content": "Be brief."}, user(QUESTION)])),
    Pair("max_completion_tokens for max_tokens", True, chat(max_tokens=50), chat(max_completion_tokens=50)),
    Pair("the last turn in other words", True, chat(messages=[*TALK, user(QUESTION)]), chat(messages=[*TALK, user(PARAPHRASE)])),
    Pair("response_format: text said", True, chat(), chat(response_format={"type": "text"})),
    Pair("a string for a list of stops", True, chat(stop="END"), chat(stop=["END"])),
    Pair("no stops", True, chat(), chat(stop=[])),
    Pair("no tools", True, chat(), chat(tools=[])),
    Pair("tool_choice: auto said", True, chat(tools=[chat_tool()]), chat(tools=[chat_tool()], tool_choice="auto")),
    Pair("parallel_tool_calls: true said", True, chat(tools=[chat_tool()]), chat(tools=[chat_tool()], parallel_tool_calls=True)),
    Pair("strict: false said", True, chat(tools=[chat_tool()]), chat(tools=[chat_tool(strict=False)])),
    Pair("order of a schema's keys", True, chat(tools=[chat_tool()]), chat(tools=[chat_tool(parameters=dict(reversed(SCHEMA.items())))])),
    Pair("other numbers of calls", True, chat(messages=[user("Weather?"), chat_call(id="a"), chat_result(id="a"), user(QUESTION)]), chat(messages=[user("Weather?"), chat_call(id="b"), chat_result(id="b"), user(QUESTION)])),
    Pair("white space of a call's arguments", True, chat(messages=[user("Weather?"), chat_call('{"city":"Oslo"}'), chat_result(), user(QUESTION)]), chat(messages=[user("Weather?"), chat_call('{ "city" : "Oslo" }'), chat_result(), user(QUESTION)])),
    Pair("a tool's result at the end, the same", True, chat(messages=[user(QUESTION), chat_call(), chat_result()]), chat(messages=[user(QUESTION), chat_call(), chat_result()])),
    Pair("an answer begun, the same", True, chat(messages=[user(QUESTION), {"role": "assistant", "content": "You"}]), chat(messages=[user(QUESTION), {"role": "assistant", "content": "You"}])),
    Pair("the same picture", True, chat(image(PIXEL)), chat(image(PIXEL))),
    Pair("a seed, the same text", True, chat(seed=1), chat(seed=1)),
    Pair("logprobs, the same text", True, chat(logprobs=True), chat(logprobs=True, stream=True)),
    Pair("several choices, other words", True, chat(n=2), chat(PARAPHRASE, n=2)),
    Pair("an empty cache member", True, chat(), chat(cache={})),
    Pair("a namespace, body or header", True, chat(cache={"namespace": "a"}), chat(cache={"namespace": "a"})),
    # Of whom.
    Pair("the key as x-api-key", True, chat(), chat(key_header="x-api-key")),
    Pair("the key as api-key", True, chat(key_header="x-api-key"), chat(key_header="api-key")),
    Pair("another program", True, chat(headers={"User-Agent": "one", "X-Stainless-Lang": "python"}), chat(headers={"User-Agent": "two", "X-Stainless-Lang": "js"})),
    Pair("another trace", True, chat(headers={"traceparent": "00-1", "X-Request-Id": "1"}), chat(headers={"traceparent": "00-2", "X-Request-Id": "2", "Idempotency-Key": "x"})),
    # Across the chat APIs.
    Pair("chat, then responses", True, chat(), responses(store=False)),
    Pair("responses, then chat", True, responses(), chat(PARAPHRASE, stream=True)),
    Pair("chat, then messages", True, chat(max_tokens=100), messages()),
    Pair("messages, then chat", True, messages(), chat(PARAPHRASE, max_tokens=100)),
    Pair("messages, then responses", True, messages(), responses(max_output_tokens=100, store=False)),
    Pair("responses, then messages", True, responses(max_output_tokens=100, stream=True), messages(stream=True)),
    Pair("who is the system, chat and responses", True, chat(messages=[{"role": "system", "content": "Be brief."}, user(QUESTION)]), responses(instructions="Be brief.", store=False)),
    Pair("who is the system, chat and messages", True, chat(max_tokens=100, messages=[{"role": "developer", "content": "Be brief."}, user(QUESTION)]), messages(system=[{"type": "text", "text": "Be brief."}])),
    Pair("turns, chat and messages", True, chat(max_tokens=100, messages=[*TALK, user(QUESTION)]), messages(messages=[*TALK, user(PARAPHRASE)])),
    Pair("turns, chat and responses", True, chat(messages=[*TALK, user(QUESTION)]), responses([*TALK_OF_RESPONSES, user(QUESTION)], store=False)),
    Pair("tools, chat and messages", True, chat(max_tokens=100, tools=[chat_tool()]), messages(tools=[{"name": "weather", "description": "Of a city.", "input_schema": SCHEMA}])),
    Pair("tools, chat and responses", True, chat(tools=[chat_tool()]), responses(tools=[{"type": "function", "name": "weather", "description": "Of a city.", "parameters": SCHEMA, "strict": False}], store=False)),
    Pair("temperature, chat and responses", True, chat(temperature=0), responses(temperature=0.0, store=False)),
    Pair("stops, chat and messages", True, chat(max_tokens=100, stop="END"), messages(stop_sequences=["END"])),
    Pair("effort, chat and responses", True, chat(reasoning_effort="low"), responses(reasoning={"effort": "low"}, store=False)),
    Pair("a schema, chat and responses", True, chat(response_format={"type": "json_schema", "json_schema": FORMAT}), responses(text={"format": {"type": "json_schema", **FORMAT}}, store=False)),
    Pair("a tool's turn, chat and messages", True,
         chat(max_tokens=100, messages=[user("Weather?"), chat_call(), chat_result(), user(QUESTION)]),
         messages(messages=[user("Weather?"), {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Oslo"}}]},
                            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "Rain."}, {"type": "text", "text": QUESTION}]}])),
    # Of the others.
    Pair("input as a list", True, responses(), responses([user(QUESTION)])),
    Pair("input as a list of parts", True, responses(), responses([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}])),
    Pair("responses: the same response before", True, responses(previous_response_id="resp_1"), responses(previous_response_id="resp_1")),
    Pair("responses: store said", True, responses(), responses(store=False)),
    Pair("responses: not stored, twice", True, responses(store=False), responses(PARAPHRASE, store=False)),
    Pair("responses: a client's own metadata", True, responses(client_metadata={"session": "a"}), responses(client_metadata={"session": "b"})),
    Pair("messages: a nonce before the system", True, messages(system=[{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=36ee5;"}, {"type": "text", "text": "Be brief."}]), messages(system=[{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=0aaa9;"}, {"type": "text", "text": "Be brief."}])),
    Pair("messages: a session of Claude Code's", True, messages(metadata={"user_id": "user_ab_account__session_54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe"}), messages(metadata={"user_id": "user_ab_account__session_57a121ec-f78c-48c3-a745-e3036a3ecc33"})),
    Pair("messages: how calls are streamed", True, messages(tools=[{"name": "weather", "input_schema": SCHEMA}]), messages(tools=[{"name": "weather", "input_schema": SCHEMA, "eager_input_streaming": True}], stream=True)),
    Pair("messages: system as a list", True, messages(system="Be brief."), messages(system=[{"type": "text", "text": "Be brief."}])),
    Pair("messages: marks for Anthropic's own cache", True, messages(system=[{"type": "text", "text": "Be brief."}]), messages(system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}])),
    Pair("messages: the usual version said", True, messages(headers={"anthropic-version": "2023-06-01"}), messages()),
    Pair("messages: a later version said", True, messages(headers={"anthropic-version": "2026-10-21"}), messages(headers={"anthropic-version": "2023-06-01"})),
    Pair("completions: other words", True, completions(), completions(PARAPHRASE)),
    Pair("completions: stream and defaults", True, completions(), completions(stream=True, temperature=1, n=1, echo=False)),
    Pair("embeddings: the same", True, embeddings(), embeddings()),
    Pair("embeddings: a default said", True, embeddings(), embeddings(encoding_format="float")),
]  # fmt: skip

OTHERS = [
    Pair("another question", False, chat(), chat(OTHER)),
    Pair("another model", False, chat(), chat(model="m2")),
    Pair("temperature", False, chat(temperature=0.3), chat(temperature=0.7)),
    Pair("temperature and none", False, chat(), chat(temperature=0)),
    Pair("temperature: just above", False, chat(temperature=0.3), send("chat", b'{"model":"m","temperature":0.30000000000000004,"messages":[{"role":"user","content":"%s"}]}' % QUESTION.encode())),
    Pair("top_p", False, chat(), chat(top_p=0.5)),
    Pair("max_tokens", False, chat(max_tokens=50), chat(max_tokens=51)),
    Pair("max_tokens and none", False, chat(), chat(max_tokens=50)),
    Pair("seed", False, chat(seed=1), chat(seed=2)),
    Pair("a seed, other words", False, chat(seed=1), chat(PARAPHRASE, seed=1)),
    Pair("n", False, chat(), chat(n=2)),
    Pair("logprobs and none", False, chat(), chat(logprobs=True)),
    Pair("logprobs, other words", False, chat(logprobs=True), chat(PARAPHRASE, logprobs=True)),
    Pair("top_logprobs", False, chat(logprobs=True), chat(logprobs=True, top_logprobs=2)),
    Pair("stop", False, chat(stop=["END"]), chat(stop=["STOP"])),
    Pair("two stops", False, chat(stop=["a"]), chat(stop=["a", "b"])),
    Pair("penalty", False, chat(), chat(presence_penalty=0.5)),
    Pair("logit_bias", False, chat(), chat(logit_bias={"50256": -100})),
    Pair("response_format", False, chat(), chat(response_format={"type": "json_object"})),
    Pair("a schema", False, chat(response_format={"type": "json_schema", "json_schema": FORMAT}), chat(response_format={"type": "json_schema", "json_schema": LIST_FORMAT})),
    Pair("a schema, how strict", False, chat(response_format={"type": "json_schema", "json_schema": FORMAT}), chat(response_format={"type": "json_schema", "json_schema": {**FORMAT, "strict": False}})),
    Pair("user", False, chat(user="ann"), chat(user="bob")),
    Pair("user and none", False, chat(), chat(user="bob")),
    Pair("reasoning_effort", False, chat(reasoning_effort="low"), chat(reasoning_effort="high")),
    Pair("a field that nobody knows", False, chat(), chat(a_field_nobody_knows=True)),
    Pair("system prompt", False, chat(messages=[{"role": "system", "content": "Be brief."}, user(QUESTION)]), chat(messages=[{"role": "system", "content": "Be long."}, user(QUESTION)])),
    Pair("system prompt and none", False, chat(), chat(messages=[{"role": "system", "content": "Be brief."}, user(QUESTION)])),
    Pair("the same words as the system's", False, chat(messages=[{"role": "system", "content": "Be brief."}, user(QUESTION)]), chat(messages=[user("Be brief."), user(QUESTION)])),
    Pair("two system prompts in another order", False, chat(messages=[{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, user(QUESTION)]), chat(messages=[{"role": "system", "content": "B"}, {"role": "system", "content": "A"}, user(QUESTION)])),
    Pair("a turn before", False, chat(), chat(messages=[*TALK, user(QUESTION)])),
    Pair("what was said before", False, chat(messages=[user("I use Windows."), TALK[1], user(QUESTION)]), chat(messages=[user("I use Linux."), TALK[1], user(QUESTION)])),
    Pair("who said it", False, chat(messages=[user("A"), {"role": "assistant", "content": "B"}, user(QUESTION)]), chat(messages=[{"role": "assistant", "content": "A"}, user("B"), user(QUESTION)])),
    Pair("one turn for two", False, chat(messages=[user("A"), user(QUESTION)]), chat(f"A\n{QUESTION}")),
    Pair("a turn's borders", False, chat(messages=[user("AB"), {"role": "assistant", "content": "C"}, user(QUESTION)]), chat(messages=[user("A"), {"role": "assistant", "content": "BC"}, user(QUESTION)])),
    Pair("a name", False, chat(messages=[{**user(QUESTION), "name": "ann"}]), chat(messages=[{**user(QUESTION), "name": "bob"}])),
    Pair("parts' borders", False, chat([{"type": "text", "text": "a\nb"}, {"type": "text", "text": "c"}]), chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b\nc"}])),
    Pair("another picture", False, chat(image(PIXEL)), chat(image(OTHER_PIXEL))),
    Pair("a picture and none", False, chat("What is in the picture?"), chat(image(PIXEL))),
    Pair("a picture's detail", False, chat(image(PIXEL, detail="low")), chat(image(PIXEL, detail="high"))),
    Pair("a picture before", False, chat(messages=[user(image(PIXEL)), TALK[1], user(QUESTION)]), chat(messages=[user(image(OTHER_PIXEL)), TALK[1], user(QUESTION)])),
    Pair("another recording", False, chat(audio("UklGRg==")), chat(audio("UklGRw=="))),
    Pair("another file", False, chat(file("data:application/pdf;base64,JVBERi0x")), chat(file("data:application/pdf;base64,JVBERi0y"))),
    Pair("tools and none", False, chat(), chat(tools=[chat_tool()])),
    Pair("another tool", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool("forecast")])),
    Pair("one more tool", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool(), chat_tool("forecast")])),
    Pair("a tool's description", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool(description="Of a country.")])),
    Pair("a tool's parameters", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool(parameters={**SCHEMA, "required": []})])),
    Pair("tool_choice: none", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool()], tool_choice="none")),
    Pair("tool_choice: required", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool()], tool_choice="required")),
    Pair("tool_choice: one of them", False, chat(tools=[chat_tool()], tool_choice="required"), chat(tools=[chat_tool()], tool_choice={"type": "function", "function": {"name": "weather"}})),
    Pair("parallel_tool_calls", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool()], parallel_tool_calls=False)),
    Pair("a tool's result", False, chat(messages=[user("Weather?"), chat_call(), chat_result("Rain."), user(QUESTION)]), chat(messages=[user("Weather?"), chat_call(), chat_result("Sun."), user(QUESTION)])),
    Pair("a call's arguments", False, chat(messages=[user("Weather?"), chat_call('{"city":"Oslo"}'), chat_result(), user(QUESTION)]), chat(messages=[user("Weather?"), chat_call('{"city":"Bergen"}'), chat_result(), user(QUESTION)])),
    Pair("a tool's result at the end", False, chat(messages=[user(QUESTION), chat_call(), chat_result("Rain.")]), chat(messages=[user(QUESTION), chat_call(), chat_result("Sun.")])),
    Pair("a tool's result at the end, other words", False, chat(messages=[user(QUESTION), chat_call(), chat_result()]), chat(messages=[user(PARAPHRASE), chat_call(), chat_result()])),
    Pair("before and behind a tool's result", False, chat(tools=[chat_tool()]), chat(tools=[chat_tool()], messages=[user(QUESTION), chat_call(), chat_result()])),
    Pair("an answer begun", False, chat(), chat(messages=[user(QUESTION), {"role": "assistant", "content": "You"}])),
    Pair("another answer begun", False, chat(messages=[user(QUESTION), {"role": "assistant", "content": "You"}]), chat(messages=[user(QUESTION), {"role": "assistant", "content": "Ask"}])),
    Pair("modalities", False, chat(), chat(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})),
    Pair("a namespace", False, chat(cache={"namespace": "a"}), chat(cache={"namespace": "b"})),
    Pair("a namespace and none", False, chat(), chat(headers={"x-sosie-namespace": "a"})),
    Pair("long, with another end", False, chat(LONG + "What was decided about the office?"), chat(LONG + "Who was absent?")),
    # Never the same answer twice.
    Pair("high temperature", False, chat(temperature=1.5), chat(temperature=1.5), repeats=False),
    Pair("today", False, chat("What is the weather in Oslo today?"), chat("What is the weather in Oslo today?"), repeats=False),
    Pair("latest", False, chat("What is the latest version of Python?"), chat("What is the latest version of Python?"), repeats=False),
    Pair("right now", False, chat("Who is the president right now?"), chat("Who is the president right now?"), repeats=False),
    Pair("this week", False, responses("What happened this week?"), responses("What happened this week?"), repeats=False),
    Pair("the upstream's search", False, responses(tools=[{"type": "web_search"}]), responses(tools=[{"type": "web_search"}]), repeats=False),
    Pair("chat with the upstream's search", False, chat(web_search_options={}), chat(web_search_options={}), repeats=False),
    Pair("messages with the upstream's search", False, messages(tools=[{"type": "web_search_20250305", "name": "web_search"}]), messages(tools=[{"type": "web_search_20250305", "name": "web_search"}]), repeats=False),
    Pair("a conversation of the upstream's", False, responses(conversation="conv_1"), responses(conversation="conv_1"), repeats=False),
    Pair("a prompt of the upstream's", False, responses(prompt={"id": "pmpt_1"}), responses(prompt={"id": "pmpt_1"}), repeats=False),
    Pair("no-cache", False, chat(), chat(headers={"Cache-Control": "no-cache"})),
    Pair("no-store", False, chat(headers={"Cache-Control": "no-store"}), chat(headers={"Cache-Control": "no-store"}), repeats=False),
    Pair("LiteLLM's no-cache", False, chat(), chat(cache={"no-cache": True})),
    Pair("exact only, other words", False, chat(), chat(PARAPHRASE, headers={"x-sosie-cache-control": "exact"})),
    Pair("a higher threshold", False, chat(), chat(PARAPHRASE, headers={"x-sosie-threshold": "0.999"})),
    # Of whom.
    Pair("another key", False, chat(), chat(key="other")),
    Pair("another key's other words", False, chat(), chat(PARAPHRASE, key="other")),
    Pair("another key, cross API", False, chat(max_tokens=100), send("messages", messages().body, key_header="x-api-key", key="other")),
    Pair("one more key", False, chat(), chat(headers={"x-api-key": "another"})),
    Pair("organization", False, chat(headers={"OpenAI-Organization": "a"}), chat(headers={"OpenAI-Organization": "b"})),
    Pair("project", False, chat(), chat(headers={"OpenAI-Project": "p"})),
    Pair("a header that nobody knows", False, chat(headers={"x-tenant-id": "a"}), chat(headers={"x-tenant-id": "b"})),
    Pair("a header's lines", False, chat(headers={"x-tenant-id": "a"}), chat(headers={"x-tenant-id": "a, a"})),
    Pair("anthropic-beta", False, messages(), messages(headers={"anthropic-beta": "context-1m-2025-08-07"})),
    Pair("another version of Anthropic's API", False, messages(), messages(headers={"anthropic-version": "2023-01-01"})),
    Pair("the query", False, chat(query="?api-version=1"), chat(query="?api-version=2")),
    # Of the other APIs, and between them.
    Pair("messages: top_k", False, messages(), messages(top_k=5)),
    Pair("messages: thinking", False, messages(), messages(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048)),
    Pair("messages: user", False, messages(metadata={"user_id": "a"}), messages(metadata={"user_id": "b"})),
    Pair("messages: system", False, messages(system="Be brief."), messages(system="Be long.")),
    Pair("messages: a picture", False,
         messages([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}, {"type": "text", "text": QUESTION}]),
         messages([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgp="}}, {"type": "text", "text": QUESTION}])),
    Pair("messages: an answer begun, other words", False, messages(messages=[user(QUESTION), {"role": "assistant", "content": "You"}]), messages(messages=[user(PARAPHRASE), {"role": "assistant", "content": "You"}])),
    Pair("responses: instructions", False, responses(instructions="Be brief."), responses(instructions="Be long.")),
    Pair("responses: a response before", False, responses(previous_response_id="resp_1"), responses(previous_response_id="resp_2")),
    Pair("responses: a response before and none", False, responses(), responses(previous_response_id="resp_1")),
    Pair("responses: not stored, then one to come back to", False, responses(store=False), responses()),
    Pair("responses: not stored, then one that says so", False, responses(store=False), responses(store=True)),
    Pair("chat, then responses to come back to", False, chat(), responses()),
    Pair("messages, then responses to come back to", False, messages(), responses(max_output_tokens=100)),
    Pair("messages: instructions behind a nonce", False, messages(system="x-anthropic-billing-header: cch=1;\nBe brief."), messages(system="x-anthropic-billing-header: cch=1;\nBe long.")),
    Pair("messages: a line that is no nonce", False, messages(system="x-anthropic-billing-header: Be brief."), messages(system="x-anthropic-billing-header: Be long.")),
    Pair("messages: a user's own session", False, messages(metadata={"user_id": "a_session_1"}), messages(metadata={"user_id": "a_session_2"})),
    Pair("responses: verbosity", False, responses(), responses(text={"verbosity": "low"})),
    Pair("responses: what is included", False, responses(), responses(include=["message.output_text.logprobs"])),
    Pair("responses: a picture", False,
         responses([{"role": "user", "content": [{"type": "input_text", "text": QUESTION}, {"type": "input_image", "image_url": PIXEL}]}]),
         responses([{"role": "user", "content": [{"type": "input_text", "text": QUESTION}, {"type": "input_image", "image_url": OTHER_PIXEL}]}])),
    Pair("chat and messages, another limit", False, chat(max_tokens=99), messages()),
    Pair("chat and responses, another system", False, chat(), responses(instructions="Be brief.")),
    Pair("chat and completions", False, chat(), completions()),
    Pair("completions: suffix", False, completions(), completions(suffix="!")),
    Pair("completions: echo", False, completions(), completions(echo=True)),
    Pair("completions: two prompts", False, completions(), completions([QUESTION, QUESTION])),
    Pair("embeddings: other words", False, embeddings(), embeddings(PARAPHRASE)),
    Pair("embeddings: a list of one", False, embeddings(), embeddings([QUESTION, OTHER])),
    Pair("embeddings: order", False, embeddings([QUESTION, OTHER]), embeddings([OTHER, QUESTION])),
    Pair("embeddings: dimensions", False, embeddings(), embeddings(dimensions=256)),
    Pair("embeddings: format", False, embeddings(), embeddings(encoding_format="base64")),
]  # fmt: skip

# Questions that look alike, and which the encoder and the threshold keep apart today.
LOOK_ALIKES = [
    ("What is 17 times 23?", "What is the square root of 529?"),
    ("What is the capital of France?", "What is the capital of Germany?"),
    ("What happened in 1848?", "What happened in 1849?"),
    ("How do I install Python 2?", "How do I install Python 3?"),
    ("How do I cancel my subscription?", "How do I renew my subscription?"),
    ("How do I open a port?", "How do I close a port?"),
    ("What is the boiling point of water?", "What is the freezing point of water?"),
    ("Is it safe to eat raw eggs?", "Is it safe to eat raw fish?"),
    ("Convert 10 miles to kilometres.", "Convert 10 kilograms to pounds."),
    ("Who wrote Hamlet?", "Who wrote Faust?"),
    ("How do I delete my account?", "How do I create an account?"),
    ("How tall is Mount Everest?", "Who climbed Mount Everest first?"),
]

# What the encoder alone does not keep apart: of these only exact reuse is sure.
NOT_PROMISED = [
    ("Turn on dark mode.", "Turn off dark mode."),
    ("How do I enable two-factor authentication?", "How do I disable two-factor authentication?"),
    ("Translate 'good morning' into French.", "Translate 'good morning' into German."),
    ("Is this drug safe during pregnancy?", "Is this drug not safe during pregnancy?"),
    ("What is 17 plus 25?", "What is 17 plus 26?"),
    ("Send 100 dollars to Bob from Alice.", "Send 100 dollars to Alice from Bob."),
]
