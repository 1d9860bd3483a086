"""The gateway over a store in Redis: hits and misses as with any other, and no request that fails or waits because of it."""

import concurrent.futures
import os
import time

import pytest

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith("REDIS_") or name == "SOSIE_CONFIG":
            monkeypatch.delenv(name)


@pytest.fixture
def impatient(start_gateway, upstream, tmp_path):
    """impatient(redis) -> a gateway that waits a fifth of a second for Redis."""

    def start(redis, timeout="200ms"):
        config = tmp_path / "sosie.toml"
        config.write_text(f'[store]\ncommand_timeout = "{timeout}"\nconnect_timeout = "{timeout}"\n')
        return start_gateway(upstream.url, "--store", redis.url, env={"SOSIE_CONFIG": str(config)})

    return start


def cache_word(answer):
    status, headers, _ = answer
    assert status == 200
    return headers["x-sosie-cache"]


def wait_until_stored(gateway, answers):
    """Until the store has an answer, the gateway gives it without asking the store."""
    until = time.monotonic() + 10
    while gateway.metric("sosie_stored_total") < answers:
        assert time.monotonic() < until, "nothing was stored"
        time.sleep(0.01)


def test_answers_of_one_gateway_are_hits_of_another(impatient, redis_server, upstream):
    redis = redis_server()
    one, other = impatient(redis), impatient(redis)
    assert cache_word(one.ask(QUESTION)) == "miss"
    assert cache_word(one.ask(QUESTION)) == "hit"
    wait_until_stored(one, 1)
    assert cache_word(other.ask(QUESTION)) == "hit"
    assert cache_word(other.ask(PARAPHRASE)) == "hit"
    assert cache_word(other.ask(QUESTION, temperature=0.3)) == "miss"  # Another scope.
    wait_until_stored(other, 1)
    assert len(upstream.calls) == 2
    assert other.metric("sosie_cache_entries") == 2


@pytest.mark.parametrize("fault", ["hangs", "is down", "is full"])
def test_requests_go_on_while_redis(impatient, redis_server, upstream, fault):
    redis = redis_server()
    gateway = impatient(redis)
    assert cache_word(gateway.ask(QUESTION)) == "miss"
    assert cache_word(gateway.ask(QUESTION)) == "hit"
    wait_until_stored(gateway, 1)
    if fault == "hangs":
        redis.stop_answering()
    elif fault == "is down":
        redis.kill()
    else:
        redis.cli("CONFIG", "SET", "maxmemory", "1")
    longest = 0
    for number in range(30):
        started = time.monotonic()
        assert gateway.ask(f"What is written in line {number}?")[0] == 200
        longest = max(longest, time.monotonic() - started)
    assert longest < 3, longest  # Of thirty timeouts none has waited for another.
    assert gateway.request("GET", "/metrics")[0] == 200
    assert gateway.metric("sosie_stored_total") == 1
    if fault == "hangs":
        redis.answer_again()
    elif fault == "is down":
        redis.start()
    else:
        redis.cli("CONFIG", "SET", "maxmemory", "0")
    until = time.monotonic() + 30
    while cache_word(gateway.ask(QUESTION)) != "hit":
        assert time.monotonic() < until, "hits do not come back by themselves"
        time.sleep(0.05)


def test_no_thread_that_runs_sockets_waits_for_redis(impatient, redis_server, upstream):
    redis = redis_server()
    gateway = impatient(redis, timeout="2s")
    assert cache_word(gateway.ask(QUESTION)) == "miss"
    wait_until_stored(gateway, 1)
    redis.stop_answering()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(gateway.ask, QUESTION), pool.submit(gateway.request, "GET", "/metrics")]
        time.sleep(0.2)
        assert gateway.request("GET", "/healthz")[0] == 200
        assert not any(asked.done() for asked in waiting), "neither waits for Redis: the test says nothing"
        assert [asked.result()[0] for asked in waiting] == [200, 200]
        assert b"sosie_requests_total" in waiting[1].result()[2]  # With or without what the store would say.
    redis.answer_again()
