"""Whole LiteLLM calls with caching on: completion, acompletion, streaming, responses, and who may see whose answers."""

import asyncio
import time

import pytest

pytest.importorskip("sosie")
litellm = pytest.importorskip("litellm")
import sosie.litellm
from questions import OTHER, PARAPHRASE, QUESTION, user


@pytest.fixture(params=["local/all-MiniLM-L6-v2", "text-embedding-ada-002"])
def caching(request, redis_server, index_name, endpoint):
    """litellm.cache, by sosie."""
    cache = sosie.litellm.enable(
        redis_url=redis_server.url, similarity_threshold=0.85, index_name=index_name, embedding_model=request.param
    )
    yield cache
    cache.cache.close()
    litellm.cache = None
    sosie.litellm.uninstall()


def text_of(response):
    return response.choices[0].message.content


def wait_for(condition, seconds=10):
    """LiteLLM stores answers behind the caller's back."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing was stored"
        time.sleep(0.01)


async def wait_for_async(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing was stored"
        await asyncio.sleep(0.01)


def stored(caching):
    return caching.cache.stats()["stored"]


def test_completion(caching):
    first = litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="Click on 'forgot'.")
    assert text_of(first) == "Click on 'forgot'."
    wait_for(lambda: stored(caching) == 1)
    again = litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="no")
    assert text_of(again) == "Click on 'forgot'." and again.id == first.id
    near = litellm.completion("gpt-4o-mini", user(PARAPHRASE), mock_response="no")
    assert text_of(near) == "Click on 'forgot'." and near.id == first.id
    assert text_of(litellm.completion("gpt-4o-mini", user(OTHER), mock_response="Paris")) == "Paris"
    wait_for(lambda: stored(caching) == 2)
    assert caching.cache.stats()["faults"] == 0


def test_acompletion(caching):
    async def run():
        first = await litellm.acompletion("gpt-4o-mini", user(QUESTION), mock_response="Click.")
        await wait_for_async(lambda: stored(caching) == 1)
        again = await litellm.acompletion("gpt-4o-mini", user(QUESTION), mock_response="no")
        near = await litellm.acompletion("gpt-4o-mini", user(PARAPHRASE), mock_response="no", metadata={})
        assert text_of(again) == text_of(near) == "Click." and again.id == near.id == first.id
        assert text_of(await litellm.acompletion("gpt-4o-mini", user(OTHER), mock_response="Paris")) == "Paris"
        await wait_for_async(lambda: stored(caching) == 2)

    asyncio.run(run())


def test_streaming(caching):
    def ask(text, answer):
        return "".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(
            "gpt-4o-mini", user(text), mock_response=answer, stream=True))  # fmt: skip

    assert ask(QUESTION, "Click on it, then wait.") == "Click on it, then wait."
    wait_for(lambda: stored(caching) == 1)
    assert ask(QUESTION, "no") == ask(PARAPHRASE, "no") == "Click on it, then wait."
    assert ask(OTHER, "Paris") == "Paris"


def test_async_streaming(caching):
    async def ask(text, answer):
        stream = await litellm.acompletion("gpt-4o-mini", user(text), mock_response=answer, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def run():
        assert await ask(QUESTION, "Click on it, then wait.") == "Click on it, then wait."
        await wait_for_async(lambda: stored(caching) == 1)
        assert await ask(QUESTION, "no") == await ask(PARAPHRASE, "no") == "Click on it, then wait."
        assert await ask(OTHER, "Paris") == "Paris"

    asyncio.run(run())


def test_scopes(caching):
    litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="of mini", temperature=0)
    wait_for(lambda: stored(caching) == 1)
    assert text_of(litellm.completion("gpt-4o", user(QUESTION), mock_response="of 4o", temperature=0)) == "of 4o"
    assert text_of(litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="warm", temperature=1)) == "warm"
    assert text_of(litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="no", temperature=0)) == "of mini"


def test_cache_controls(caching, redis_server, index_name):
    def ask(answer, **controls):
        return text_of(litellm.completion("gpt-4o-mini", user(QUESTION), mock_response=answer, cache=controls))

    ask("not stored", **{"no-store": True})
    assert ask("first", ttl=100) == "first"
    wait_for(lambda: stored(caching) == 1)
    (key,) = redis_server.client().keys(f"{index_name}:*")
    assert 0 < redis_server.client().ttl(key) <= 100
    assert ask("second", **{"no-cache": True}) == "second"
    time.sleep(0.05)
    wait_for(lambda: ask("no") == "second")
    time.sleep(0.02)
    assert ask("third", **{"s-maxage": 0.01}) == "third"


def test_the_similarity_reaches_the_callers_metadata(caching):
    litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="Click.")
    wait_for(lambda: stored(caching) == 1)
    metadata = {}
    caching.get_cache(model="gpt-4o-mini", messages=user(PARAPHRASE), metadata=metadata)
    assert 0.85 <= metadata["semantic-similarity"] < 1
    metadata = {}
    caching.get_cache(model="gpt-4o-mini", messages=user(OTHER), metadata=metadata)
    assert metadata["semantic-similarity"] == 0.0


def test_the_responses_api(caching):
    first = litellm.responses(model="openai/gpt-4o-mini", input=QUESTION, mock_response="Click.")
    wait_for(lambda: stored(caching) >= 1)
    near = litellm.responses(model="openai/gpt-4o-mini", input=PARAPHRASE, mock_response="no")
    assert near.output[0].content[0].text == first.output[0].content[0].text == "Click."


def test_embedding_calls_are_left_alone(caching, endpoint):
    first = litellm.embedding("text-embedding-3-small", input=[QUESTION])
    second = litellm.embedding("text-embedding-3-small", input=[PARAPHRASE])
    assert first.data[0]["embedding"] != second.data[0]["embedding"]
    assert [body["input"] for body in endpoint.requests if body["model"] == "text-embedding-3-small"] == [
        [QUESTION],
        [PARAPHRASE],
    ]
    assert stored(caching) == 0


def test_a_call_does_not_notice_that_redis_is_gone(start_redis, endpoint):
    server = start_redis()
    cache = sosie.litellm.enable(redis_url=server.url, similarity_threshold=0.85, index_name="idx")
    try:
        litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="Click.")
        wait_for(lambda: stored(cache) == 1)
        server.kill()
        for answer in ("a", "b"):
            begun = time.monotonic()
            assert text_of(litellm.completion("gpt-4o-mini", user(QUESTION), mock_response=answer)) == answer
            assert time.monotonic() - begun < 5
    finally:
        cache.cache.close()
        litellm.cache = None
        sosie.litellm.uninstall()


# Into LiteLLM ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def as_it_was():
    yield
    litellm.cache = None
    sosie.litellm.uninstall()


def test_three_lines_to_switch(redis_server, index_name, as_it_was):
    litellm.cache = litellm.Cache(
        type="redis-semantic",
        redis_url=redis_server.url,
        similarity_threshold=0.85,
        redis_semantic_cache_index_name=index_name,
    )
    litellm.cache.cache = sosie.litellm.RedisSemanticCache(
        redis_url=redis_server.url,
        similarity_threshold=0.85,
        index_name=index_name,
        embedding_model="local/all-MiniLM-L6-v2",
    )
    litellm.completion("gpt-4o-mini", user(QUESTION), mock_response="Click.")
    wait_for(lambda: stored(litellm.cache) == 1)
    assert text_of(litellm.completion("gpt-4o-mini", user(PARAPHRASE), mock_response="no")) == "Click."


def test_install_before_and_after(redis_server, index_name, as_it_was):
    from litellm.caching.redis_semantic_cache import RedisSemanticCache as Upstream

    settings = dict(redis_url=redis_server.url, similarity_threshold=0.8, redis_semantic_cache_index_name=index_name)
    litellm.cache = litellm.Cache(type="redis-semantic", semantic_cache_embedding_timeout=3, **settings)
    assert type(litellm.cache.cache) is Upstream
    sosie.litellm.install()
    present = litellm.cache.cache
    assert type(present) is sosie.litellm.RedisSemanticCache
    assert (present.similarity_threshold, present._index_name, present.embedding_timeout) == (0.8, index_name, 3)
    sosie.litellm.install()
    assert litellm.cache.cache is present
    later = litellm.Cache(type="redis-semantic", username=None, compat="upstream", **settings)
    assert type(later.cache) is sosie.litellm.RedisSemanticCache
    sosie.litellm.uninstall()
    assert type(litellm.Cache(type="redis-semantic", **settings).cache) is Upstream
