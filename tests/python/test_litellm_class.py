"""sosie.litellm.RedisSemanticCache: what upstream's own tests ask of its class, asked of this one over a real Redis."""

import asyncio
import inspect
import math
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import types

import pytest

pytest.importorskip("sosie")
litellm = pytest.importorskip("litellm")
import sosie
import sosie.litellm
from questions import KEY, OTHER, PARAPHRASE, QUESTION, user
from sosie.litellm import RedisSemanticCache


@pytest.fixture
def local(make):
    return make(embedding_model="local/all-MiniLM-L6-v2")


@pytest.fixture
def remote(make, endpoint):
    """Embeds through litellm.embedding, as upstream does by default."""
    return make()


# Settings -------------------------------------------------------------------------------------------------------------


def test_signature_begins_with_upstreams():
    from litellm.caching.redis_semantic_cache import RedisSemanticCache as Upstream

    theirs = [p for p in inspect.signature(Upstream.__init__).parameters.values() if p.kind is not p.VAR_KEYWORD]
    ours = list(inspect.signature(RedisSemanticCache.__init__).parameters.values())
    assert [(p.name, p.default) for p in ours[: len(theirs)]] == [(p.name, p.default) for p in theirs]
    assert issubclass(RedisSemanticCache, litellm.caching.base_cache.BaseCache)


def test_settings_from_the_environment(monkeypatch):
    for name, value in (("HOST", "localhost"), ("PORT", "6379"), ("PASSWORD", "secret")):
        monkeypatch.setenv(f"REDIS_{name}", value)
    cache = RedisSemanticCache(similarity_threshold=0.8)
    assert cache.similarity_threshold == 0.8 and cache.distance_threshold == pytest.approx(0.2, abs=1e-10)
    assert cache.embedding_model == "text-embedding-ada-002" and cache.embedding_timeout == 5
    for missing in ("PASSWORD", "PORT", "HOST"):
        monkeypatch.delenv(f"REDIS_{missing}")
        with pytest.raises(ValueError) as raised:
            RedisSemanticCache(similarity_threshold=0.8)
        assert str(raised.value) == (
            f"Missing required Redis configuration: REDIS_{missing}. Provide REDIS_{missing} or redis_url."
        )
    RedisSemanticCache(host="localhost", port=6379, password="secret", similarity_threshold=0.8)


def test_a_threshold_is_needed_and_must_make_sense():
    with pytest.raises(ValueError, match="similarity_threshold must be provided, passed None"):
        RedisSemanticCache()
    for wrong in (1.1, -0.1, math.nan, math.inf, "much"):
        with pytest.raises(sosie.InvalidArgumentError):
            RedisSemanticCache(redis_url="redis://localhost", similarity_threshold=wrong)
    assert RedisSemanticCache(redis_url="redis://localhost", similarity_threshold="0.9").similarity_threshold == 0.9
    for setting in (
        {"compat": "litellm"},
        {"index_type": "ivf"},
        {"redis_url": "http://localhost"},
        {"max_connections": 0},
    ):
        with pytest.raises(ValueError):
            RedisSemanticCache(**{"redis_url": "redis://localhost", "similarity_threshold": 0.9, **setting})


def test_unknown_settings_are_accepted_as_upstream_does():
    RedisSemanticCache(redis_url="redis://localhost", similarity_threshold=0.9, namespace="n", gcp_service_account="g")


def test_acl_user_and_database_are_used(start_redis, endpoint):
    server = start_redis()
    server.client().execute_command("ACL", "SETUSER", "ann", "on", ">p@ss/word:1", "~*", "+@all")
    server.client().execute_command("ACL", "SETUSER", "default", "off")
    cache = RedisSemanticCache(
        host="127.0.0.1",
        port=server.port,
        password="p@ss/word:1",
        username="ann",
        similarity_threshold=0.85,
        index_name="idx",
    )
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.get_cache(KEY, messages=user(QUESTION)) == {"a": 1}
    wrong = RedisSemanticCache(
        host="127.0.0.1", port=server.port, password="no", username="ann", similarity_threshold=0.85
    )
    assert wrong.get_cache(KEY, messages=user(QUESTION)) is None and wrong.stats()["faults"] == 1


# Set and get ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_set_and_get(kind, request):
    cache = request.getfixturevalue(kind)
    metadata = {}
    assert cache.get_cache(KEY, messages=user(QUESTION), metadata=metadata) is None
    assert metadata == {"semantic-similarity": 0.0}
    assert cache.set_cache(KEY, {"content": "Click."}, messages=user(QUESTION)) is None
    assert cache.get_cache(KEY, messages=user(QUESTION), metadata=metadata) == {"content": "Click."}
    assert metadata == {"semantic-similarity": 1.0}
    assert cache.get_cache(KEY, messages=user(PARAPHRASE), metadata=metadata) == {"content": "Click."}
    assert 0.85 <= metadata["semantic-similarity"] < 1
    assert cache.get_cache(KEY, messages=user(OTHER), metadata=metadata) is None
    assert metadata == {"semantic-similarity": 0.0}
    counts = cache.stats()
    assert (counts["exact_hits"], counts["semantic_hits"], counts["misses"], counts["stored"], counts["faults"]) == (
        1,
        1,
        2,
        1,
        0,
    )


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_async_set_and_get(kind, request):
    cache = request.getfixturevalue(kind)

    async def run():
        metadata = {}
        assert await cache.async_get_cache(KEY, messages=user(QUESTION), metadata=metadata) is None
        assert metadata == {"semantic-similarity": 0.0}
        await cache.async_set_cache(KEY, {"content": "Click."}, messages=user(QUESTION), ttl=60)
        assert await cache.async_get_cache(KEY, messages=user(QUESTION), metadata=metadata) == {"content": "Click."}
        assert metadata == {"semantic-similarity": 1.0}
        assert await cache.async_get_cache(KEY, messages=user(PARAPHRASE), metadata=metadata) == {"content": "Click."}
        assert 0.85 <= metadata["semantic-similarity"] < 1
        assert await cache.async_get_cache("other key", messages=user(PARAPHRASE), metadata=metadata) is None

    asyncio.run(run())
    asyncio.run(run_again(cache))  # another event loop: nothing is bound to the first


async def run_again(cache):
    assert await cache.async_get_cache(KEY, messages=user(PARAPHRASE)) == {"content": "Click."}


def test_one_embedding_for_a_request_and_none_for_a_repeat(remote, endpoint):
    remote.get_cache(KEY, messages=user(QUESTION))
    remote.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert endpoint.texts() == [QUESTION]
    remote.get_cache(KEY, messages=user(QUESTION))
    assert endpoint.texts() == [QUESTION]

    async def ask():
        await remote.async_get_cache(KEY, messages=user(OTHER))
        await remote.async_set_cache(KEY, {"a": 2}, messages=user(OTHER))

    asyncio.run(ask())
    assert endpoint.texts() == [QUESTION, OTHER]
    for _ in range(3):  # a paraphrase that is asked again and again is embedded once
        assert remote.get_cache(KEY, messages=user(PARAPHRASE)) == {"a": 1}
        assert asyncio.run(remote.async_get_cache(KEY, messages=user(PARAPHRASE))) == {"a": 1}
    assert endpoint.texts() == [QUESTION, OTHER, PARAPHRASE]
    assert remote.stats()["embeddings"] == 3


def test_what_lies_in_redis(remote, redis_server, index_name):
    remote.set_cache(KEY, {"content": "Paris"}, messages=[{"content": OTHER}], ttl=60)
    client = redis_server.client()
    from sosie import compat

    id = compat.entry_id(OTHER, {"litellm_cache_key": KEY})
    key = compat.redis_key(index_name, id)
    fields = client.hgetall(key)
    assert set(fields) == {
        b"entry_id", b"prompt", b"response", b"prompt_vector", b"inserted_at", b"updated_at", b"litellm_cache_key"
    }  # fmt: skip
    assert (fields[b"entry_id"], fields[b"prompt"], fields[b"litellm_cache_key"]) == (
        id.encode(),
        OTHER.encode(),
        KEY.encode(),
    )
    assert fields[b"response"] == b'{"content":"Paris"}' and len(fields[b"prompt_vector"]) == 4 * 384
    assert abs(float(fields[b"inserted_at"]) - time.time()) < 60 and 0 < client.ttl(key) <= 60


def test_entries_without_a_key_of_their_own_are_missed(remote, redis_server, index_name):
    remote.set_cache(KEY, {"content": "Paris"}, messages=user(OTHER))
    client = redis_server.client()
    (key,) = client.keys(f"{index_name}:*")
    client.hdel(key, "litellm_cache_key")
    metadata = {}
    assert remote.get_cache(KEY, messages=user(OTHER), metadata=metadata) is None
    assert metadata == {"semantic-similarity": 0.0}
    assert asyncio.run(remote.async_get_cache(KEY, messages=user(OTHER))) is None


def test_the_responses_api(remote, redis_server, index_name):
    structured = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": OTHER},
                {"type": "input_text", "text": "Answer briefly."},
            ],
        }
    ]
    remote.set_cache(KEY, {"content": "Paris"}, input=OTHER)
    remote.set_cache(KEY, {"content": "Paris."}, input=structured)
    assert remote.get_cache(KEY, input=OTHER) == {"content": "Paris"}
    assert remote.get_cache(KEY, input=structured) == {"content": "Paris."}
    client = redis_server.client()
    prompts = {client.hget(key, "prompt").decode() for key in client.keys(f"{index_name}:*")}
    assert prompts == {OTHER, f"{OTHER}\nAnswer briefly."}


@pytest.mark.parametrize(
    "nothing", [{}, {"messages": []}, {"input": None}, {"input": [1, 2]}, {"messages": "text"}, {"messages": [None]}]
)
def test_without_a_prompt_nothing_happens(remote, endpoint, redis_server, index_name, nothing):
    metadata = {}
    remote.set_cache(KEY, {"a": 1}, **nothing)
    assert remote.get_cache(KEY, metadata=metadata, **nothing) is None
    assert metadata == {"semantic-similarity": 0.0} and endpoint.requests == []
    assert redis_server.client().keys(f"{index_name}*") == []


@pytest.mark.parametrize(
    "ttl, seconds", [(60, 60), ("30", 30), (True, 1), (1.9, 1), (0.5, -1), (0, -1), (None, -1), (-1, -2)]
)
def test_ttl(local, redis_server, index_name, ttl, seconds):
    local.set_cache(KEY, {"a": 1}, messages=user(QUESTION), ttl=ttl)
    client = redis_server.client()
    keys = client.keys(f"{index_name}:*")
    assert (client.ttl(keys[0]) if keys else -2) == seconds


@pytest.mark.parametrize("ttl", ["abc", math.nan, math.inf])
def test_a_ttl_that_is_no_number_stores_nothing_and_costs_nothing(remote, endpoint, redis_server, index_name, ttl):
    remote.set_cache(KEY, {"a": 1}, messages=user(QUESTION), ttl=ttl)
    assert (
        endpoint.requests == []
        and redis_server.client().keys(f"{index_name}:*") == []
        and remote.stats()["faults"] == 1
    )


def test_the_constructors_ttl_is_the_default(make, redis_server, index_name):
    cache = make(embedding_model="local/all-MiniLM-L6-v2", ttl=100)
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    cache.set_cache(KEY, {"a": 1}, messages=user(OTHER), ttl=None)
    client = redis_server.client()
    assert sorted(client.ttl(key) for key in client.keys(f"{index_name}:*")) == [-1, 100]


@pytest.mark.parametrize(
    "value",
    [
        {"timestamp": 1755000000.5, "response": '{"id":"chatcmpl-1","choices":[{"message":{"content":"it\'s \\"é\\" \U0001f600"}}]}'},
        {"timestamp": 1.0, "response": {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"text": "it's"}]}},
        {"a": (1, 2), "b": {3: None}, "c": {4}, "d": b"\xff"},
        {"lone": "\ud83d"},
        {"big": 10**400, "small": -0.0, "infinite": math.inf},
        [1, 2.5, True, None],
        "a sentence",
        'with "quotes"',
        7,
    ],
)  # fmt: skip
def test_values_come_back_as_they_were(local, value):
    local.set_cache(KEY, value, messages=user(QUESTION))
    found = local.get_cache(KEY, messages=user(QUESTION))
    assert found == value and repr(found) == repr(value)


def test_a_value_that_nobody_can_read_is_a_miss_without_similarity(local, redis_server, index_name):
    local.set_cache(KEY, object(), messages=user(QUESTION))
    metadata = {}
    assert local.get_cache(KEY, messages=user(QUESTION), metadata=metadata) is None
    assert metadata == {"semantic-similarity": 0.0}


def test_pipeline_embeds_once_and_stores_all(remote, endpoint, redis_server, index_name):
    items = [(f"key-{n}", {"n": n}) for n in range(20)]
    asyncio.run(remote.async_set_cache_pipeline(items, messages=user(QUESTION), ttl=60))
    assert endpoint.texts() == [QUESTION]
    assert len(redis_server.client().keys(f"{index_name}:*")) == 20
    assert all(remote.get_cache(key, messages=user(PARAPHRASE)) == value for key, value in items)


def test_the_proxys_router_embeds_where_it_has_the_model(make, endpoint, monkeypatch):
    router = litellm.Router(
        model_list=[{
            "model_name": "my-embedder",
            "litellm_params": {"model": "openai/some-model", "api_base": endpoint.url, "api_key": "sk-test"},
            "model_info": {"max_input_tokens": 5},
        }]
    )  # fmt: skip
    asked = []
    for name in ("embedding", "aembedding"):
        monkeypatch.setattr(router, name, recorded(getattr(router, name), asked))
    proxy = types.ModuleType("litellm.proxy.proxy_server")
    proxy.llm_router, proxy.llm_model_list = router, router.model_list
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", proxy)

    cache = make(embedding_model="my-embedder", similarity_threshold=0.5)
    cache.get_cache(KEY, messages=user(QUESTION), metadata={"user_api_key": "hash"})
    asyncio.run(cache.async_get_cache(KEY, messages=user(OTHER), metadata={"user_api_key": "hash"}))
    assert len(endpoint.requests) == 2 and {body["model"] for body in endpoint.requests} == {"some-model"}
    for arguments in asked:
        assert arguments["metadata"] == {"user_api_key": "hash", "semantic-cache-embedding": True}
        assert arguments["cache"] == {"no-store": True, "no-cache": True}
        assert (arguments["timeout"], arguments["num_retries"]) == (5.0, 0)
        assert len(litellm.encode(model="my-embedder", text=arguments["input"])) <= 5  # the deployment's limit

    unknown = make(embedding_model="text-embedding-ada-002")
    unknown.get_cache(KEY, messages=user(QUESTION))
    assert len(asked) == 2 and endpoint.requests[-1]["model"] == "text-embedding-ada-002"


def recorded(function, calls):
    def call(**arguments):
        calls.append({**arguments, "metadata": dict(arguments["metadata"])})
        return function(**arguments)

    return call


# When things go wrong -------------------------------------------------------------------------------------------------


@pytest.fixture
def silent_server():
    """Accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


def test_the_event_loop_runs_while_redis_is_silent_and_the_deadline_holds(silent_server, endpoint):
    cache = RedisSemanticCache(
        redis_url=silent_server, similarity_threshold=0.8, socket_timeout=0.3, socket_connect_timeout=0.3
    )

    async def run():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        begun = time.monotonic()
        found = await asyncio.gather(*(cache.async_get_cache(KEY, messages=user(f"{QUESTION} {n}")) for n in range(20)))
        await cache.async_set_cache(KEY, {"a": 1}, messages=user(QUESTION))
        ticking.cancel()
        return found, ticks, time.monotonic() - begun

    found, ticks, seconds = asyncio.run(run())
    assert found == [None] * 20 and seconds < 2 * (0.3 + 0.3) + 0.5 and ticks > seconds / 0.005 / 4
    assert endpoint.requests == []  # nothing is embedded that cannot be looked up


def test_the_event_loop_runs_while_a_local_model_embeds(local):
    async def run():
        longest, stop = 0.0, False

        async def tick():
            nonlocal longest
            while not stop:
                before = time.monotonic()
                await asyncio.sleep(0)
                longest = max(longest, time.monotonic() - before)

        ticking = asyncio.create_task(tick())
        begun = time.monotonic()
        await asyncio.gather(
            *(local.async_get_cache(KEY, messages=user(f"{n} " + "many words " * 100)) for n in range(30))
        )
        total, stop = time.monotonic() - begun, True
        await ticking
        return longest, total

    longest, total = asyncio.run(run())
    assert longest < max(0.05, total / 4), (longest, total)


def test_hits_return_after_redis_was_killed(start_redis, endpoint):
    server = start_redis()
    cache = RedisSemanticCache(redis_url=server.url, similarity_threshold=0.85, index_name="idx")
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.get_cache(KEY, messages=user(PARAPHRASE)) == {"a": 1}
    server.kill()
    for _ in range(5):
        assert cache.get_cache(KEY, messages=user(PARAPHRASE)) is None
        assert asyncio.run(cache.async_get_cache(KEY, messages=user(PARAPHRASE))) is None
        cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.stats()["faults"] >= 10
    server.start()
    until = time.monotonic() + 40
    while cache.get_cache(KEY, messages=user(PARAPHRASE)) is None and time.monotonic() < until:
        cache.set_cache(KEY, {"a": 2}, messages=user(QUESTION))
        time.sleep(0.05)
    assert cache.get_cache(KEY, messages=user(PARAPHRASE)) == {"a": 2}
    assert asyncio.run(cache.async_get_cache(KEY, messages=user(PARAPHRASE))) == {"a": 2}


def test_a_cancelled_call_harms_nobody(local):
    async def run():
        tasks = [asyncio.create_task(local.async_get_cache(KEY, messages=user(f"question {n}"))) for n in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ended = asyncio.run(run())
    assert [type(end) for end in ended[::2]] == [asyncio.CancelledError] * 5 and ended[1::2] == [None] * 5


def test_nothing_secret_is_logged(make, endpoint, caplog, monkeypatch):
    caplog.set_level("DEBUG", logger="sosie.litellm")
    endpoint.status = 500
    cache = make()
    cache.get_cache(KEY, messages=user("my secret question"))
    RedisSemanticCache(redis_url="redis://:hunter2@127.0.0.1:1", similarity_threshold=0.9).get_cache(
        KEY, messages=user("my secret")
    )
    ours = [record.getMessage() for record in caplog.records if record.name == "sosie.litellm"]
    assert len(ours) == 2 and not any("secret" in line or "hunter2" in line for line in ours)


def test_a_model_that_cannot_be_asked_is_named_with_the_way_out(make, endpoint, caplog):
    endpoint.status = 401
    make().get_cache(KEY, messages=user(QUESTION))
    make().set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    asyncio.run(make().async_get_cache(KEY, messages=user(QUESTION)))
    warnings = [record.getMessage() for record in caplog.records if record.name == "sosie.litellm"]
    assert len(warnings) == 3
    for said in warnings:
        assert "embedding model text-embedding-ada-002" in said and "AuthenticationError" in said
        assert 'embedding_model="local/all-MiniLM-L6-v2"' in said and "OPENAI_API_KEY" in said


def test_ping_and_test_connection(make, redis_server):
    assert asyncio.run(make(embedding_model="local/all-MiniLM-L6-v2").ping()) is True
    down = RedisSemanticCache(redis_url="redis://127.0.0.1:1", similarity_threshold=0.9)
    assert asyncio.run(down.test_connection())["status"] == "failed"
    asyncio.run(down.disconnect())


# Processes and threads ------------------------------------------------------------------------------------------------


def test_many_threads(local):
    failures = []

    def work(number):
        for turn in range(10):
            prompt = user(f"What is {number} plus {turn}?")
            local.set_cache(f"key{number}", {"sum": number + turn}, messages=prompt)
            if local.get_cache(f"key{number}", messages=prompt) != {"sum": number + turn}:
                failures.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and local.stats()["faults"] == 0


def run_script(script, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ,
    )


SCRIPT = """
    import asyncio, os, sys
    from sosie.litellm import RedisSemanticCache
    cache = RedisSemanticCache(redis_url=sys.argv[1], similarity_threshold=0.85, index_name=sys.argv[2],
                               embedding_model="local/all-MiniLM-L6-v2")
    messages = [{"role": "user", "content": "Who wrote Hamlet?"}]
"""


def test_a_forked_child_has_connections_of_its_own(redis_server, index_name):
    done = run_script(
        SCRIPT
        + """
    asyncio.run(cache.async_set_cache("key", {"a": 1}, messages=messages))
    pid = os.fork()
    found = asyncio.run(cache.async_get_cache("key", messages=messages)), cache.get_cache("key", messages=messages)
    assert found == ({"a": 1}, {"a": 1}), found
    if pid == 0:
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    """,
        redis_server.url,
        index_name,
    )
    assert done.returncode == 0, done.stderr


def test_a_program_may_end_with_calls_under_way(redis_server, index_name):
    done = run_script(
        SCRIPT
        + """
    async def run():
        for n in range(50):
            asyncio.ensure_future(cache.async_get_cache("key", messages=[{"role": "user", "content": f"question {n}"}]))
        await asyncio.sleep(0.001)
    asyncio.run(run())
    """,
        redis_server.url,
        index_name,
    )
    assert done.returncode == 0 and "Fatal" not in done.stderr, done.stderr


def test_a_closed_cache_fails_nobody(make):
    cache = make(embedding_model="local/all-MiniLM-L6-v2")
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    cache.close()
    cache.close()
    assert cache.get_cache(KEY, messages=user(QUESTION)) is None
    assert asyncio.run(cache.async_get_cache(KEY, messages=user(QUESTION))) is None
    cache.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert cache.stats()["stored"] == 1


def test_a_local_model_embeds_once_for_a_request(local):
    local.get_cache(KEY, messages=user(QUESTION))
    local.set_cache(KEY, {"a": 1}, messages=user(QUESTION))
    assert local.get_cache(KEY, messages=user(QUESTION)) == {"a": 1}
    assert local.stats()["embeddings"] == 1

    async def ask():
        await local.async_get_cache(KEY, messages=user(OTHER))
        await local.async_set_cache(KEY, {"a": 2}, messages=user(OTHER))

    asyncio.run(ask())
    assert local.stats()["embeddings"] == 2


# What callers get wrong -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"embedding_max_input_tokens": "many"},
        {"embedding_max_input_tokens": -1},
        {"embedding_max_input_tokens": [5]},
        {"db": "first"},
        {"max_connections": "s3cret"},
        {"redis_url": 5},
        {"redis_url": "http://user:s3cret@host"},
    ],
)
def test_no_setting_is_shown_in_an_error(wrong):
    with pytest.raises(ValueError) as raised:
        RedisSemanticCache(**{"host": "h", "port": 1, "password": "s3cret", "similarity_threshold": 0.9, **wrong})
    failure = raised.value
    while failure is not None:
        assert "s3cret" not in str(failure)
        failure = failure.__context__


def test_settings_may_come_as_text(make):
    assert make(embedding_max_input_tokens="5", max_connections="2", db="0").embedding_max_input_tokens == 5


def test_one_item_that_cannot_be_stored_loses_no_other(local):
    class Odd:
        pass

    items = [("a", {"v": 1}), ("bad \ud800", {"v": 2}), ("b", Odd()), ("c", {"v": 3}, "and more")]
    asyncio.run(local.async_set_cache_pipeline(items, messages=user(QUESTION)))
    assert local.get_cache("a", messages=user(QUESTION)) == {"v": 1}
    assert local.get_cache("b", messages=user(QUESTION)) is None
    assert local.get_cache("c", messages=user(QUESTION)) == {"v": 3}


def test_not_a_number_reads_back(local):
    local.set_cache(KEY, {"a": math.nan, "b": [math.inf, 1]}, messages=user(QUESTION))
    value = local.get_cache(KEY, messages=user(QUESTION))
    assert math.isnan(value["a"]) and value["b"] == [math.inf, 1]


def test_a_large_image_does_not_hold_up_the_event_loop(local):
    def asking(kind):
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + kind * 4_000_000}}
        return [{"role": "user", "content": [{"type": "text", "text": QUESTION}, image]}]

    async def run():
        longest, last, working = 0.0, time.monotonic(), True

        async def tick():
            nonlocal longest, last
            while working:
                await asyncio.sleep(0.001)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()

        ticking = asyncio.ensure_future(tick())
        begin = time.monotonic()
        await local.async_set_cache(KEY, {"v": 1}, messages=asking("A"))
        found = await local.async_get_cache(KEY, messages=asking("A"))
        other = await local.async_get_cache(KEY, messages=asking("B"))
        took, working = time.monotonic() - begin, False
        await ticking
        return found, other, longest, took

    found, other, longest, took = asyncio.run(run())
    assert found == {"v": 1} and other is None
    assert longest < took / 2, (longest, took)
