"""One Redis index for LiteLLM's own class and for ours: each answers from the other's entries."""

import asyncio
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("sosie")
pytest.importorskip("redisvl")
pytest.importorskip("litellm")
from litellm.caching.redis_semantic_cache import RedisSemanticCache as Upstream
from sosie.litellm import RedisSemanticCache

QUESTION, PARAPHRASE, OTHER = (
    "How do I reset my password?",
    "How can I reset my password?",
    "What is the capital of France?",
)
KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
VALUES = [
    {
        "timestamp": 1755000000.5,
        "response": '{"id":"chatcmpl-1","content":"it\'s \\"Paris\\"\\n\u00e9\U0001f600","nothing":null}',
    },
    {
        "timestamp": 1755000000.5,
        "response": {"id": "msg_1", "content": [{"type": "text", "text": "it's"}], "stop": None},
    },
    {"content": "Paris"},
]


def user(text):
    return [{"role": "user", "content": text}]


@pytest.fixture
def pair(redis_server, index_name, endpoint):
    settings = dict(redis_url=redis_server.url, similarity_threshold=0.85, index_name=index_name)
    ours = RedisSemanticCache(**settings)
    yield ours, Upstream(**settings)
    ours.close()


@pytest.fixture(scope="module", autouse=True)
def loop():
    """One for all: upstream's connections belong to the loop that they were made in."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    asyncio.set_event_loop(None)
    made.close()


def store(cache, value, text, is_async, **more):
    if is_async:
        asyncio.get_event_loop().run_until_complete(cache.async_set_cache(KEY, value, messages=user(text), **more))
    else:
        cache.set_cache(KEY, value, messages=user(text), **more)


def found(cache, text, is_async):
    metadata = {}
    if is_async:
        value = asyncio.get_event_loop().run_until_complete(
            cache.async_get_cache(KEY, messages=user(text), metadata=metadata)
        )
    else:
        value = cache.get_cache(KEY, messages=user(text), metadata=metadata)
    return value, metadata["semantic-similarity"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("writer", ["ours", "theirs"])
def test_each_reads_what_the_other_wrote(pair, redis_server, index_name, writer, is_async):
    ours, theirs = pair
    write, read = (ours, theirs) if writer == "ours" else (theirs, ours)
    for value in VALUES:
        store(write, value, QUESTION, is_async, ttl=60)
        for cache in (write, read):
            value_found, similarity = found(cache, QUESTION, is_async)
            assert value_found == value and similarity == pytest.approx(1, abs=1e-6)
        near, similarity = found(read, PARAPHRASE, is_async)
        assert near == value and similarity == found(write, PARAPHRASE, is_async)[1] and 0.85 < similarity < 1
        assert found(read, OTHER, is_async) == (None, 0.0)
    client = redis_server.client()
    assert len(client.keys(f"{index_name}*")) == 1  # the same prompt under the same key is the same entry
    assert index_name.encode() in client.execute_command("FT._LIST")
    assert f"{index_name}_isolated".encode() not in client.execute_command("FT._LIST")  # each accepts the other's index
    assert ours.stats()["faults"] == 0


def test_an_answer_may_be_replaced_by_the_other_side(pair):
    ours, theirs = pair
    for turn in range(4):
        store((ours, theirs)[turn % 2], {"turn": turn}, QUESTION, False)
        assert found(ours, QUESTION, False)[0] == found(theirs, QUESTION, False)[0] == {"turn": turn}


def test_an_old_index_without_keys_is_left_alone_by_both(pair, redis_server, index_name):
    client = redis_server.client()
    client.execute_command(
        *f"FT.CREATE {index_name} ON HASH PREFIX 1 {index_name} SCORE 1.0 SCHEMA prompt TEXT WEIGHT 1 response TEXT WEIGHT 1 "
        "inserted_at NUMERIC updated_at NUMERIC prompt_vector VECTOR FLAT 6 TYPE FLOAT32 DIM 384 DISTANCE_METRIC COSINE".split()
    )
    ours, theirs = pair
    store(ours, {"a": 1}, QUESTION, False)
    assert found(theirs, PARAPHRASE, False)[0] == {"a": 1}
    store(theirs, {"a": 2}, QUESTION, False)
    assert found(ours, PARAPHRASE, False)[0] == {"a": 2}
    assert len(client.keys(f"{index_name}_isolated:*")) == 1


def test_hnsw_answers_from_the_same_entries(pair, redis_server, index_name, endpoint):
    _, theirs = pair
    store(theirs, {"a": 1}, QUESTION, False)
    approximate = RedisSemanticCache(
        redis_url=redis_server.url, similarity_threshold=0.85, index_name=index_name, index_type="hnsw"
    )
    assert found(approximate, PARAPHRASE, False)[0] == {"a": 1}
    store(approximate, {"b": 1}, OTHER, False)
    assert found(theirs, OTHER, False)[0] == {"b": 1}
    approximate.close()


def test_several_processes_of_each_kind_at_once(redis_server, index_name, endpoint):
    seconds = float(os.environ.get("SOSIE_SHARING_SECONDS", 4))  # a few minutes now and then
    kinds = ["sosie", "upstream", "sosie", "upstream"]
    script = pathlib.Path(__file__).with_name("sharing_worker.py")
    workers = [
        subprocess.Popen(
            [sys.executable, script, kind, redis_server.url, index_name, str(number), str(len(kinds)), str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n", worker.stderr.read()
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        counts = []
        for worker in workers:
            out, err = worker.communicate(timeout=seconds + 60)
            assert worker.returncode == 0, err
            counts.append(json.loads(out.splitlines()[-1]))
    finally:
        for worker in workers:
            worker.kill()
    for kind, count in zip(kinds, counts):
        # Questions that nobody has asked yet are missed at first; a process that began late has missed little.
        assert count["wrong"] == 0 and count["exact"] > 0 and count["near"] > 0, (kind, counts)
        assert count["missed"] <= 2 * 8 * len(kinds), (kind, counts)
        assert count.get("faults", 0) == 0, (kind, counts)
    indexes = redis_server.client().execute_command("FT._LIST")
    assert index_name.encode() in indexes and f"{index_name}_isolated".encode() not in indexes
