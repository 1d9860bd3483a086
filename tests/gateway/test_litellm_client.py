"""LiteLLM as a client, with api_base leading here. Runs where LiteLLM is installed: see script/test."""

import json
import os

import pytest

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import waits for a download
litellm = pytest.importorskip("litellm")

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]


@pytest.fixture
def ask(shared, key):
    """ask(provider, text, stream, **fields) -> ((text, calls, finish reason, tokens), upstream calls it took)"""
    gateway, stub = shared
    stub.mode = "ok"

    def ask(provider, text=QUESTION, stream=False, **fields):
        before = stub.count()
        base = gateway.url + ("/v1" if provider == "openai" else "")
        asked = {"model": f"{provider}/stub-model", "api_base": base, "api_key": key, "max_tokens": 100, "num_retries": 0, "max_retries": 0}
        asked |= {"messages": [{"role": "user", "content": text}], **fields}
        if stream:
            chunks = list(litellm.completion(**asked, stream=True, stream_options={"include_usage": True}))
            answer = litellm.stream_chunk_builder(chunks)
        else:
            answer = litellm.completion(**asked)
        choice = answer.choices[0]
        calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or []]
        said = choice.message.content or None, calls, choice.finish_reason, answer.usage.total_tokens
        return said, stub.count() - before

    yield ask
    stub.mode = "ok"


WAYS = [(provider, stream) for provider in ("openai", "anthropic") for stream in (False, True)]


@pytest.mark.parametrize("first", WAYS)
def test_chat_and_messages_from_one_entry(ask, key, first):
    provider, stream = first
    fresh, calls = ask(provider, stream=stream)
    assert calls == 1 and fresh[0].startswith(f"answer to {QUESTION} for {key} #") and fresh[1:] == ([], "stop", 5)
    for provider, stream in WAYS:
        for text in (QUESTION, PARAPHRASE):
            assert (provider, stream, *ask(provider, text, stream)) == (provider, stream, fresh, 0)


@pytest.mark.parametrize("first", WAYS)
def test_tool_calls_from_one_entry(ask, shared, first):
    shared[1].mode = "tools"
    fresh, calls = ask(first[0], "Is it far to Oslo?", first[1], tools=TOOLS)
    assert calls == 1 and fresh[:3] == (None, [("call_1", "weather", {"city": "Oslo"})], "tool_calls")
    again, calls = ask(first[0], "Is it far to Oslo?", not first[1], tools=TOOLS)
    assert (again, calls) == (fresh, 0)


def test_its_cache_member_stays_here(ask, shared):
    ask("openai")
    _, calls = ask("openai", extra_body={"cache": {"no-cache": True}})
    assert calls == 1 and b'"cache"' not in shared[1].calls[-1]["body"]
    assert ask("openai", extra_body={"cache": {"namespace": "other"}})[1] == 1
    assert ask("openai", extra_body={"cache": {"namespace": "other"}})[1] == 0
    assert ask("openai", "What is the tallest mountain?", extra_body={"cache": {"no-store": True}})[1] == 1
    assert ask("openai", "What is the tallest mountain?")[1] == 1


def test_responses(shared, key):
    gateway, stub = shared
    before = stub.count()
    said = set()
    for text in (QUESTION, PARAPHRASE):
        answer = litellm.responses(model="openai/stub-model", input=text, api_base=gateway.url + "/v1", api_key=key, max_output_tokens=100)
        said.add(answer.output[-1].content[0].text)
        events = list(
            litellm.responses(
                model="openai/stub-model", input=text, api_base=gateway.url + "/v1", api_key=key, max_output_tokens=100, stream=True
            )
        )
        said.add("".join(event.delta for event in events if event.type == "response.output_text.delta"))
    assert len(said) == 1 and stub.count() == before + 1


def test_embeddings(shared, key):
    gateway, stub = shared
    before = stub.count()
    vectors = [
        litellm.embedding(model="openai/text-embedding-9", input=[text], api_base=gateway.url + "/v1", api_key=key).data[0]["embedding"]
        for text in (QUESTION, QUESTION, PARAPHRASE)
    ]
    assert vectors[0] == vectors[1] != vectors[2] and stub.count() == before + 2
