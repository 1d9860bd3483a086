"""Entries in a Redis that processes share: what one has acknowledged all others find, whoever is killed meanwhile."""

import concurrent.futures
import http.client
import itertools
import json
import os
import random
import signal
import time
import urllib.request

import pytest

QUESTION, ANSWER = "How do I reset my password?", "Settings, Security, Reset."
PARAPHRASE = "How can I reset my password?"
WRITERS = 4


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith("REDIS_") or name == "SOSIE_CONFIG":
            monkeypatch.delenv(name)


def call(port, path, body, connection=None, timeout=30):
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    own.request("POST", "/v1/caches/c/" + path, json.dumps(body))
    answer = own.getresponse()
    status, read = answer.status, json.loads(answer.read() or b"{}")
    if not connection:
        own.close()
    return status, read


def port_of(server):
    return int(server.url.rsplit(":", 1)[1])


def lines(sosie, *arguments):
    return sosie(*arguments).stdout.decode().splitlines()


def test_the_commands_share_one_store(sosie, redis_server):
    redis = redis_server()
    store = ("--store", redis.url)
    sosie("set", QUESTION, ANSWER, *store)
    assert sosie("get", QUESTION, *store).stdout.decode().strip() == ANSWER
    assert sosie("get", PARAPHRASE, *store).stdout.decode().strip() == ANSWER
    assert lines(sosie, "stats", *store)[0].split() == ["entries", "1"]
    sosie("set", QUESTION, "Changed.", *store)
    assert sosie("get", PARAPHRASE, *store).stdout.decode().strip() == "Changed."
    assert lines(sosie, "stats", *store)[0].split() == ["entries", "1"]
    assert all(key.startswith("sosie:") for key in redis.cli("KEYS", "*").splitlines())


def test_a_server_without_the_search_module_is_told_apart(sosie, redis_server):
    redis = redis_server("--requirepass", "very-secret", search=False)
    done = sosie("get", QUESTION, "--store", f"redis://:very-secret@127.0.0.1:{redis.port}", code=2)
    assert b"has no search module" in done.stderr and b"very-secret" not in done.stdout + done.stderr


def test_two_servers_share_one_store(serve, redis_server):
    redis = redis_server()
    with serve("--store", redis.url) as one, serve("--store", redis.url) as other:
        status, stored = call(port_of(one), "entries", {"prompt": QUESTION, "response": ANSWER})
        assert status == 201
        for strategy, prompt in (("exact", QUESTION), ("semantic", PARAPHRASE)):
            status, found = call(port_of(other), "entries/search", {"prompt": prompt, "searchStrategies": [strategy]})
            assert status == 200 and found["data"][0]["id"] == stored["entryId"], found
        metrics = urllib.request.urlopen(other.url + "/metrics").read().decode()
        assert "\nsosie_cache_entries 1\n" in metrics
        request = urllib.request.Request(f"{other.url}/v1/caches/c/entries/{stored['entryId']}", method="DELETE")
        assert urllib.request.urlopen(request).status == 204
        assert call(port_of(one), "entries/search", {"prompt": QUESTION})[1]["data"] == []


def write_until_it_fails(port, numbers, acknowledged):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        for number in numbers:
            body = {"prompt": f"What is written in line {number}?", "response": str(number)}
            status, answer = call(port, "entries", body, connection)
            if status != 201:
                return
            acknowledged[number] = answer["entryId"]
    except (OSError, http.client.HTTPException):
        pass  # Killed: what was not acknowledged may or may not be there.


def all_are_found(port, acknowledged):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number, entry in acknowledged.items():
        body = {"prompt": f"What is written in line {number}?", "searchStrategies": ["exact"]}
        status, found = call(port, "entries/search", body, connection)
        assert status == 200
        assert found["data"] and found["data"][0]["id"] == entry and found["data"][0]["response"] == str(number), number


def test_kill_9_of_a_writer_loses_nothing_and_leaves_the_accounts_right(serve, sosie, redis_server):
    redis = redis_server()
    numbers, acknowledged = itertools.count(), {}
    random.seed(7)
    for _ in range(4):
        server = serve("--store", redis.url)
        before = len(acknowledged)
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for _ in range(WRITERS):
                pool.submit(write_until_it_fails, port_of(server), numbers, acknowledged)
            while len(acknowledged) < before + random.randint(30, 80):
                assert server.process.poll() is None
            server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.process.stdout.close()
    with serve("--store", redis.url) as server:
        all_are_found(port_of(server), acknowledged)
    keys = redis.cli("KEYS", "sosie:entry:*").splitlines()
    assert len(keys) >= len(acknowledged) >= 120
    assert redis.cli("HGET", "sosie:meta", "entries") == str(len(keys)) == redis.cli("ZCARD", "sosie:priorities")


def test_redis_killed_under_load_keeps_what_was_acknowledged_and_is_used_again(serve, redis_server):
    redis = redis_server("--appendonly", "yes")
    numbers, acknowledged = itertools.count(), {}
    with serve("--store", redis.url) as server:
        for _ in range(3):
            before = len(acknowledged)
            with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
                for _ in range(WRITERS):
                    pool.submit(write_until_it_fails, port_of(server), numbers, acknowledged)
                while len(acknowledged) < before + 40:
                    time.sleep(0.01)
                redis.kill()
            started = time.monotonic()
            status, answer = call(port_of(server), "entries/search", {"prompt": QUESTION})
            assert status == 424 and time.monotonic() - started < 5, answer  # LangCache's "database unavailable"
            redis.start()
            while call(port_of(server), "entries/search", {"prompt": QUESTION})[0] != 200:
                assert time.monotonic() - started < 30
                time.sleep(0.05)
            all_are_found(port_of(server), acknowledged)
    assert len(acknowledged) >= 120


def test_an_emptied_redis_is_filled_anew(serve, redis_server):
    redis = redis_server()
    with serve("--store", redis.url) as server:
        entry = {"prompt": QUESTION, "response": ANSWER}
        assert call(port_of(server), "entries", entry)[0] == 201
        redis.kill()
        redis.start()
        until = time.monotonic() + 30
        while call(port_of(server), "entries", entry)[0] != 201:
            assert time.monotonic() < until
            time.sleep(0.05)
        found = call(port_of(server), "entries/search", {"prompt": PARAPHRASE, "searchStrategies": ["semantic"]})[1]
        assert found["data"][0]["response"] == ANSWER
