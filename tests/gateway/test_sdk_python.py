"""What the objects of the official clients for Python say, in full; what all clients have in common: test_sdks.py."""

import anthropic
import openai
import pytest
from sdk_surfaces import PARAPHRASE, QUESTION, WAYS, Surfaces


def dump(answer):
    """Without what is new each time."""
    return answer.model_dump(exclude={"id", "created", "created_at", "_request_id"})


def ask_everywhere(surfaces):
    tools = ["weather"]
    yield surfaces.openai.chat.completions.create(**surfaces._chat(QUESTION, tools), user="a chat's own")
    yield surfaces.openai.responses.create(**surfaces._responses(QUESTION, tools), metadata={"own": "yes"})
    yield surfaces.anthropic.messages.create(**surfaces._messages(QUESTION, tools), extra_body={"top_k": 3})


@pytest.mark.parametrize("mode,kept", [("ok", 3), ("tools", 3), ("two_tools", 3), ("reasoning", 3), ("refusal", 2)])
def test_nothing_of_an_answer_is_lost(shared, key, mode, kept):
    gateway, stub = shared
    surfaces, before = Surfaces(gateway, key), stub.count()
    stub.mode = mode
    try:
        fresh = [dump(answer) for answer in ask_everywhere(surfaces)]
        again = [dump(answer) for answer in ask_everywhere(surfaces)]
    finally:
        stub.mode = "ok"
    assert again[:kept] == fresh[:kept]  # A refusal of Anthropic's is a stop reason, and no answer to keep.
    assert stub.count() == before + 3 + 3 - kept
    if mode == "reasoning":
        assert all("Let me think of it." in str(answer) for answer in again)


def test_log_probabilities_come_back_in_both_shapes(shared, key):
    gateway, stub = shared
    client = Surfaces(gateway, key).openai
    question = {"model": "stub-model", "messages": [{"role": "user", "content": QUESTION}], "logprobs": True}
    fresh = client.chat.completions.create(**question)
    before = stub.count()
    assert fresh.choices[0].logprobs.content[1].logprob == -0.5
    assert dump(client.chat.completions.create(**question)) == dump(fresh)
    chunks = list(client.chat.completions.create(**question, stream=True))
    tokens = [token for chunk in chunks for choice in chunk.choices if choice.logprobs for token in choice.logprobs.content]
    assert tokens == fresh.choices[0].logprobs.content
    assert stub.count() == before


def test_several_choices(shared, key):
    gateway, stub = shared
    client = Surfaces(gateway, key).openai
    question = {"model": "stub-model", "messages": [{"role": "user", "content": QUESTION}], "n": 3}
    before = stub.count()
    fresh = client.chat.completions.create(**question)
    assert len(fresh.choices) == 3 and dump(client.chat.completions.create(**question)) == dump(fresh)
    texts = ["", "", ""]
    for chunk in client.chat.completions.create(**question, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in fresh.choices]
    assert stub.count() == before + 1


def joined(stream):
    return "".join(choice.text for chunk in stream for choice in chunk.choices)


@pytest.mark.parametrize("first_is_stream", [True, False])
def test_completions(shared, key, first_is_stream):
    gateway, stub = shared
    client = Surfaces(gateway, key).openai
    before = stub.count()

    def ask(text, stream):
        answer = client.completions.create(model="stub-model", prompt=text, stream=stream)
        return joined(answer) if stream else answer.choices[0].text

    fresh = ask(QUESTION, first_is_stream)
    assert fresh.startswith(f"answer to {QUESTION}")
    assert [ask(text, stream) for text in (QUESTION, PARAPHRASE) for stream in (True, False)] == [fresh] * 4
    counted = list(client.completions.create(model="stub-model", prompt="Another one?", stream=True, stream_options={"include_usage": True}))
    again = client.completions.create(model="stub-model", prompt="Another one?")
    assert counted[-1].usage == again.usage and again.usage.total_tokens == 5
    assert stub.count() == before + 2
    client.chat.completions.create(model="stub-model", messages=[{"role": "user", "content": QUESTION}])
    assert stub.count() == before + 3  # No question of a chat is a text to go on with.


def test_embeddings_of_the_upstream_are_kept_exactly(shared, key):
    gateway, stub = shared
    client = Surfaces(gateway, key).openai
    before = stub.count("/v1/embeddings")
    for _ in range(2):
        assert client.embeddings.create(model="text-embedding-9", input=QUESTION).data[0].embedding[0] == len(QUESTION)
    assert stub.count("/v1/embeddings") == before + 1
    assert client.embeddings.create(model="text-embedding-9", input=PARAPHRASE).data[0].embedding[0] == len(PARAPHRASE)
    assert stub.count("/v1/embeddings") == before + 2
    client.embeddings.create(model="text-embedding-9", input=[QUESTION, PARAPHRASE])
    client.embeddings.create(model="text-embedding-9", input=[QUESTION, PARAPHRASE])
    client.embeddings.create(model="text-embedding-9", input=[PARAPHRASE, QUESTION])
    assert stub.count("/v1/embeddings") == before + 4
    assert client.embeddings.create(model="all-MiniLM-L6-v2", input=QUESTION).model == "all-MiniLM-L6-v2"
    assert stub.count("/v1/embeddings") == before + 4


def test_other_pages_of_the_apis(shared, key):
    gateway, stub = shared
    surfaces = Surfaces(gateway, key)
    assert surfaces.openai.models.list().data[0].id == "stub-model"
    stub.raw["/v1/messages/count_tokens"] = b'HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"input_tokens": 7}'
    counted = surfaces.anthropic.messages.count_tokens(model="stub-model", messages=[{"role": "user", "content": QUESTION}])
    assert counted.input_tokens == 7


def test_errors_are_the_clients_own(shared, key):
    gateway, stub = shared
    surfaces = Surfaces(gateway, key)
    for way in WAYS:
        theirs = anthropic if way.startswith("messages") else openai
        stub.modes = ["429"]
        with pytest.raises(theirs.RateLimitError, match="slow down"):
            getattr(surfaces, way)(QUESTION)
        stub.modes = ["drop"]
        with pytest.raises(theirs.InternalServerError, match="upstream"):
            getattr(surfaces, way)(QUESTION)
        stub.modes = ["error_event"]
        if way.endswith("_stream"):  # openai hands an error of the Responses API out as one more event.
            with pytest.raises(AssertionError if way == "responses_stream" else theirs.APIError):
                getattr(surfaces, way)(QUESTION)
        stub.modes = []
    refused = {"messages": [{"role": "user", "content": QUESTION}], "extra_headers": {"x-sosie-threshold": "high"}}
    with pytest.raises(openai.BadRequestError, match="x-sosie-threshold"):
        surfaces.openai.chat.completions.create(model="m", **refused)
    with pytest.raises(anthropic.BadRequestError, match="x-sosie-threshold"):
        surfaces.anthropic.messages.create(model="m", max_tokens=5, **refused)
    assert all(getattr(surfaces, way)(QUESTION) for way in WAYS)


async def asked_at_once(gateway, key):
    import asyncio

    client = openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=0)
    claude = anthropic.AsyncAnthropic(base_url=gateway.url, api_key=key, max_retries=0)
    question = {"model": "stub-model", "max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]}

    async def messages():
        async with claude.messages.stream(**question) as stream:
            return "".join([text async for text in stream.text_stream])

    async def chat():
        return (await client.chat.completions.create(**question)).choices[0].message.content

    return await asyncio.gather(*(each() for each in [messages, chat] * 5))


def test_asynchronous_clients_at_once(shared, key):
    import asyncio

    gateway, stub = shared
    before = stub.count()
    answers = asyncio.run(asked_at_once(gateway, key))
    assert len(set(answers)) == 1 and answers[0].startswith("answer to") and stub.count() == before + 1
