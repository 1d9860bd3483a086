"""Two tenants ask the same questions by every API, streaming or not, at the same time: no answer crosses.

SOSIE_MIXED_REQUESTS: how many requests (5,000); 100,000 take minutes."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import pytest

CLIENT = pathlib.Path(__file__).with_name("mixed_client.py")


REQUESTS = int(os.environ.get("SOSIE_MIXED_REQUESTS", 5_000))


def ask_as_two(gateway, requests, *more):
    """(what became of the requests, mistakes) of two processes with both tenants each."""
    command = [sys.executable, CLIENT, str(gateway.port)]
    workers = [subprocess.Popen([*command, str(seed), str(requests // 2), "24", *more], stdout=subprocess.PIPE) for seed in (1, 2)]
    fates, mistakes = collections.Counter(), []
    for worker in workers:
        told = json.loads(worker.communicate(timeout=3_600)[0])
        fates.update(told["fates"])
        mistakes += told["mistakes"]
    print(dict(fates), "in", round(told["seconds"], 1), "s")
    return fates, mistakes


@pytest.fixture
def stub(shared):
    """The stub of `shared`, slow enough for requests to meet."""
    shared[1].keep_answers, shared[1].delay = False, 0.003
    return shared[1]


def test_no_answer_crosses(shared, stub):
    before = stub.count()
    fates, mistakes = ask_as_two(shared[0], REQUESTS)
    assert mistakes == [] and fates.total() == REQUESTS // 2 * 2
    assert fates["hit"] > REQUESTS // 3 and fates["miss"] > 100 and fates["coalesced"] > 10
    assert stub.count() - before == fates["miss"] + fates["bypass"] + fates["error"]


def test_no_answer_crosses_where_much_goes_wrong(start_gateway, upstream):
    """Upstreams fail in every way, callers hang up; who gets something gets their own."""
    upstream.text, upstream.keep_answers, upstream.delay = None, False, 0.003
    upstream.faults, upstream.fault_rate = ["drop", "half", "500", "429", "cut", "half_json", "error_event", "slow"], 0.1
    fates, mistakes = ask_as_two(start_gateway(upstream.url), REQUESTS // 2, "rough")
    assert mistakes == [] and fates.total() == REQUESTS // 4 * 2
    assert fates["hit"] > REQUESTS // 8 and fates["left"] > 10 and fates["coalesced"] > 10
