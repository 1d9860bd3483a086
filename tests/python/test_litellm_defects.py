"""Upstream's known defects, each by its name in docs/litellm.md: what it does wrong, this class does right.

And compat="upstream", which does as upstream does.
"""

import asyncio
import json
import math
import time

import pytest

pytest.importorskip("sosie")
litellm = pytest.importorskip("litellm")
from questions import KEY, OTHER, PARAPHRASE, QUESTION, user
from sosie.litellm import RedisSemanticCache


@pytest.fixture
def make(make, endpoint):
    """With an endpoint to embed with."""
    return make


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """ask(cache, key, **kwargs) -> (value, similarity)."""

    def ask(cache, key, **kwargs):
        metadata = {}
        if request.param == "sync":
            value = cache.get_cache(key, metadata=metadata, **kwargs)
        else:
            value = asyncio.run(cache.async_get_cache(key, metadata=metadata, **kwargs))
        return value, metadata["semantic-similarity"]

    return ask


def test_threshold_1_loses_exact_repeats(make, ask):
    cache = make(similarity_threshold=1)
    for n in range(40):
        cache.set_cache(KEY, {"n": n}, messages=user(f"What is {n} plus {n}?"))
    assert [ask(cache, KEY, messages=user(f"What is {n} plus {n}?")) for n in range(40)] == [
        ({"n": n}, 1.0) for n in range(40)
    ]
    assert ask(cache, KEY, messages=user("what is 1 plus 1?")) == (None, 0.0)


def test_the_async_threshold_is_inverted(make, ask):
    cache = make(similarity_threshold=0.8)
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert ask(cache, KEY, messages=user(OTHER)) == (None, 0.0)
    assert ask(cache, KEY, messages=user(QUESTION)) == ({"a": 1}, 1.0)


@pytest.mark.parametrize("key", ["a,b", "a`b", " a ", "a\tb", "a\nb", "a|b", "a*", "", "é日本", "{x}", 'a"\\b'])
def test_keys_with_marks_never_hit_or_cross(make, ask, key):
    cache = make()
    cache.set_cache("a", {"of": "a"}, messages=user(QUESTION))
    cache.set_cache("b", {"of": "b"}, messages=user(QUESTION))
    assert ask(cache, key, messages=user(PARAPHRASE)) == (None, 0.0)
    cache.set_cache(key, {"of": key}, messages=user(QUESTION))
    for text in (QUESTION, PARAPHRASE):
        assert ask(cache, key, messages=user(text))[0] == {"of": key}
        assert ask(cache, "a", messages=user(text))[0] == {"of": "a"}


def test_keys_that_differ_in_case_hide_each_other(make, ask):
    cache = make()
    cache.set_cache("Tenant", {"of": "Tenant"}, messages=user(QUESTION))
    assert ask(cache, "tenant", messages=user(PARAPHRASE)) == (None, 0.0)
    cache.set_cache("tenant", {"of": "tenant"}, messages=user(PARAPHRASE))
    assert ask(cache, "Tenant", messages=user(PARAPHRASE))[0] == {"of": "Tenant"}  # though the other one is nearer


def test_an_unreadable_top_hit_hides_a_good_second_one(make, ask, redis_server, index_name):
    cache = make()
    cache.set_cache(KEY, {"a": 1}, messages=user(PARAPHRASE))
    (good,) = redis_server.client().keys(f"{index_name}:*")
    cache.set_cache(KEY, {"bad": 1}, messages=user("How do I reset my password"))
    (bad,) = set(redis_server.client().keys(f"{index_name}:*")) - {good}
    redis_server.client().hset(bad, "response", "Paris is it.")
    value, similarity = ask(cache, KEY, messages=user(QUESTION))
    assert value == {"a": 1} and 0.85 < similarity < 1


def test_similarity_stays_high_on_a_parse_miss(make, ask, redis_server, index_name):
    cache = make()
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    (key,) = redis_server.client().keys(f"{index_name}:*")
    for unreadable in ("Paris is it.", "null", "[" * 50_000, "9" * 5_000, "{[]: 1}", ""):
        redis_server.client().hset(key, "response", unreadable)
        for text in (QUESTION, PARAPHRASE):
            assert ask(cache, KEY, messages=user(text)) == (None, 0.0)


def test_metadata_none_raises(make):
    cache = make()
    for metadata in (None, [], "text", ()):
        assert cache.get_cache(KEY, messages=user(QUESTION), metadata=metadata) is None
        assert asyncio.run(cache.async_get_cache(KEY, messages=user(QUESTION), metadata=metadata)) is None
        cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION), metadata=metadata)
        assert cache.get_cache(KEY, messages=user(QUESTION), metadata=metadata) == {"a": 1}
        cache = make(index_name=f"meta{cache.stats()['stored']}{id(cache)}")


def test_images_all_match_each_other(make, ask, endpoint):
    def image(url, *text):
        return [{"role": "user", "content": [*text, {"type": "image_url", "image_url": {"url": url}}]}]

    cache = make(similarity_threshold=0.5)
    text = {"type": "text", "text": "What is in this picture?"}
    cache.set_cache(KEY, {"of": "A"}, messages=image("https://example.com/a.png", text))
    assert ask(cache, KEY, messages=image("https://example.com/b.png", text)) == (None, 0.0)
    assert ask(cache, KEY, messages=image("https://example.com/a.png", text)) == ({"of": "A"}, 1.0)
    before = len(endpoint.requests)
    cache.set_cache(KEY, {"of": "A"}, messages=image("https://example.com/a.png"))  # no text at all: never embedded
    assert ask(cache, KEY, messages=image("https://example.com/b.png")) == (None, 0.0)
    assert len(endpoint.requests) == before


def test_an_overwrite_keeps_the_old_life(make, redis_server, index_name):
    cache = make()
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION), ttl=50)
    cache.set_cache(KEY, {"a": 2}, messages=user(QUESTION))
    (key,) = redis_server.client().keys(f"{index_name}:*")
    assert redis_server.client().ttl(key) == -1


def test_a_failed_index_build_bills_embeddings_again_and_again(start_redis, endpoint):
    server = start_redis()
    server.client().execute_command("ACL", "SETUSER", "default", "-@all", "+@connection", "+hmget", "+hgetall")
    cache = RedisSemanticCache(redis_url=server.url, similarity_threshold=0.85, index_name="idx")
    for n in range(20):
        assert cache.get_cache(KEY, messages=user(f"question {n}")) is None
    assert len(endpoint.requests) <= 3 and cache.stats()["faults"] == 20


def test_a_dead_embedding_endpoint_blocks_requests(make, endpoint):
    cache = make(embedding_timeout=0.5)
    endpoint.delay = 5
    begun = time.monotonic()
    assert asyncio.run(cache.async_get_cache(KEY, messages=user(QUESTION))) is None
    assert time.monotonic() - begun < 2
    begun = time.monotonic()
    for n in range(50):  # left alone meanwhile
        assert cache.get_cache(KEY, messages=user(f"question {n}")) is None
    assert time.monotonic() - begun < 2.5 and len(endpoint.requests) <= 4
    endpoint.delay = 0
    until = time.monotonic() + 30
    while cache.get_cache(KEY, messages=user(QUESTION)) is None and time.monotonic() < until:
        cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
        time.sleep(0.05)
    assert cache.get_cache(KEY, messages=user(PARAPHRASE)) == {"a": 1}  # it came back by itself


def test_a_refused_text_does_not_stop_the_others(make, endpoint):
    cache = make()
    endpoint.status = 400
    assert cache.get_cache(KEY, messages=user(QUESTION)) is None
    endpoint.status = 200
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.stats()["stored"] == 1


def test_truncated_prompts_collide(make, ask):
    cache = make(embedding_max_input_tokens=20, similarity_threshold=0.5)
    head = "Please answer this question about my account as briefly as you possibly can, and in plain words only, thank you: "
    cache.set_cache(KEY, {"of": "password"}, messages=user(head + "how do I reset my password?"))
    assert ask(cache, KEY, messages=user(head + "how do I delete everything?")) == (None, 0.0)
    assert ask(cache, KEY, messages=user(head + "how do I reset my password?")) == ({"of": "password"}, 1.0)


def test_a_changed_dimension_drops_the_index_of_others(make, redis_server, index_name, monkeypatch):
    def three(**_):
        return {"data": [{"embedding": [0.1, 0.2, 0.3]}]}

    def four(**_):
        return {"data": [{"embedding": [0.1, 0.2, 0.3, 0.4]}]}

    caches = []
    for name, embedding, n in (("ours", None, 384), ("three", three, 3), ("four", four, 4)):
        with monkeypatch.context() as patch:
            if embedding:
                patch.setattr(litellm, "embedding", embedding)
            caches.append(
                (make(embedding_model=name if embedding else "text-embedding-ada-002"), embedding, {"dimension": n})
            )
            caches[-1][0].set_cache(KEY, {"dimension": n}, messages=user(f"{QUESTION} {n}"))
    for cache, embedding, value in caches:  # each still finds its own, by its vector
        with monkeypatch.context() as patch:
            if embedding:
                patch.setattr(litellm, "embedding", embedding)
            assert cache.get_cache(KEY, messages=user(f"{PARAPHRASE} {value['dimension']}")) == value
    names = {name.decode() for name in redis_server.client().execute_command("FT._LIST")}
    assert {index_name, f"{index_name}_isolated"} <= names and len([name for name in names if index_name in name]) == 3


def test_chat_answers_reach_responses_calls(make, ask):
    cache = make()
    chat = {
        "timestamp": time.time(),
        "response": json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": []}),
    }
    cache.set_cache(KEY, chat, messages=user(QUESTION))
    assert ask(cache, KEY, messages=user(PARAPHRASE))[0] == chat
    assert ask(cache, KEY, input=QUESTION) == (None, 0.0)
    assert ask(cache, KEY, input=PARAPHRASE) == (None, 0.0)


def test_embeddings_are_cached_semantically(make, endpoint, redis_server, index_name):
    cache = make()
    vector = {"embedding": [0.1, 0.2], "index": 0, "object": "embedding", "model": "m"}
    answer = {"object": "list", "data": [vector], "model": "m", "usage": {}}
    asyncio.run(cache.async_set_cache_pipeline([(KEY, {"timestamp": 1.0, "response": vector})], input=[QUESTION]))
    cache.set_cache(KEY, {"timestamp": 1.0, "response": json.dumps(answer)}, input=[QUESTION])
    assert endpoint.requests == [] and redis_server.client().keys(f"{index_name}*") == []


def test_an_agents_turns_share_most_text(make, ask):
    history = [
        {
            "role": "user",
            "content": "Look into my orders of the last year, one by one, and tell me the state of each of them, please.",
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
        },
    ]
    cache = make(similarity_threshold=0.7)
    cache.set_cache(
        KEY, {"turn": 1}, messages=[*history, {"role": "tool", "tool_call_id": "c", "content": "order 17: sent"}]
    )
    assert ask(cache, KEY, messages=[*history, {"role": "tool", "tool_call_id": "c", "content": "order 18: lost"}]) == (
        None,
        0.0,
    )


def test_odd_requests_crash(make):
    cache = make(embedding_model="local/all-MiniLM-L6-v2")
    cyclic = []
    cyclic.append(cyclic)
    for odd in (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": None}, 7, None, {}]}]},
        {"messages": 7},
        {"messages": [7]},
        {"messages": [{"role": "user", "content": "\ud800"}]},
        {"messages": cyclic},
        {"input": {"content": {"content": {"output": [object()]}}}},
        {"input": cyclic},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": b"\xff\x00", 7: math.nan}]}]},
    ):
        cache.set_cache(KEY, {"a": 1}, **odd)
        cache.get_cache(KEY, **odd)
        asyncio.run(cache.async_set_cache(KEY, {"a": 1}, **odd))
        asyncio.run(cache.async_get_cache(KEY, **odd))
        asyncio.run(cache.async_set_cache_pipeline([(KEY, {"a": 1})], **odd))


def test_the_verbose_log_prints_prompts_answers_and_passwords(
    endpoint, capsys, caplog, monkeypatch, redis_server, index_name
):
    caplog.set_level("DEBUG")
    cache = RedisSemanticCache(
        redis_url=redis_server.url,
        similarity_threshold=0.85,
        index_name=index_name,
        embedding_model="local/all-MiniLM-L6-v2",
    )
    monkeypatch.setattr(litellm, "set_verbose", True)
    RedisSemanticCache(host="127.0.0.1", port="1", password="hunter2", similarity_threshold=0.85).get_cache(
        KEY, messages=user("top secret")
    )
    cache.set_cache(KEY, {"a": "secret answer"}, messages=user("top secret"))
    cache.get_cache(KEY, messages=user("top secret"))
    cache.close()
    said = "".join(capsys.readouterr()) + caplog.text
    assert "secret" not in said and "hunter2" not in said


# compat="upstream" ----------------------------------------------------------------------------------------------------


@pytest.fixture
def upstream(make):
    return make(compat="upstream")


def test_upstream_stores_str(upstream, redis_server, index_name):
    value = {"timestamp": 1755000000.5, "response": '{"content":"it\'s"}'}
    upstream.set_cache(KEY, value, messages=user(QUESTION))
    (key,) = redis_server.client().keys(f"{index_name}:*")
    assert redis_server.client().hget(key, "response").decode() == str(value)
    assert upstream.get_cache(KEY, messages=user(PARAPHRASE)) == value


def test_upstream_embeds_for_every_get_and_every_set(upstream, endpoint):
    upstream.get_cache(KEY, messages=user(QUESTION))
    upstream.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    upstream.get_cache(KEY, messages=user(QUESTION))
    assert endpoint.texts() == [QUESTION] * 3


@pytest.mark.parametrize("threshold", [1.1, -1.5, math.nan, math.inf])
def test_upstream_accepts_any_threshold_and_never_hits(make, threshold):
    cache = make(compat="upstream", similarity_threshold=threshold)
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.get_cache(KEY, messages=user(QUESTION)) is None
    with pytest.raises(TypeError, match="unsupported operand type"):
        make(compat="upstream", similarity_threshold="0.9")


def test_upstream_accepts_opposites_below_zero(make):
    cache = make(compat="upstream", similarity_threshold=-1)
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.get_cache(KEY, messages=user(OTHER)) == {"a": 1}


def test_upstream_keeps_the_similarity_of_what_it_cannot_read(upstream, redis_server, index_name):
    upstream.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    (key,) = redis_server.client().keys(f"{index_name}:*")
    for stored, similarity in (("Paris is it.", 1), ("None", 1), ("[" * 50_000, 0), ("{[]: 1}", 0)):
        redis_server.client().hset(key, "response", stored)
        metadata = {}
        assert upstream.get_cache(KEY, messages=user(QUESTION), metadata=metadata) is None
        assert metadata["semantic-similarity"] == pytest.approx(similarity, abs=1e-6)


def test_upstream_raises_on_metadata_none(upstream):
    with pytest.raises(TypeError):
        upstream.get_cache(KEY, messages=user(QUESTION), metadata=None)
    with pytest.raises(TypeError):
        asyncio.run(upstream.async_get_cache(KEY, messages=user(QUESTION), metadata=None))


def test_upstream_matches_empty_prompts(upstream):
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]
    upstream.set_cache(KEY, {"of": "A"}, messages=image)
    image[0]["content"][0]["image_url"]["url"] = "https://example.com/b.png"
    assert upstream.get_cache(KEY, messages=image) == {"of": "A"}


def test_upstream_never_finds_keys_with_commas(upstream):
    upstream.set_cache("a,b", {"a": 1}, messages=user(QUESTION))
    assert upstream.get_cache("a,b", messages=user(QUESTION)) is None


def test_upstream_keeps_the_old_life_of_an_overwritten_entry(upstream, redis_server, index_name):
    upstream.set_cache(KEY, {"a": 1}, messages=user(QUESTION), ttl=50)
    upstream.set_cache(KEY, {"a": 2}, messages=user(QUESTION))
    (key,) = redis_server.client().keys(f"{index_name}:*")
    assert 0 < redis_server.client().ttl(key) <= 50
