"""Two tenants ask the same questions by every API, streaming or not, at the same time: no answer crosses.

SOSIE_MIXED_REQUESTS: how many requests (5,000); 100,000 take minutes."""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest
from apis import CHAT, MESSAGES, RESPONSES
from callers import asking, wait_for_head

CLIENT = pathlib.Path(__file__).with_name("mixed_client.py")


TENANTS = ("alice", "bob")
MEETINGS = 30
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


def meet(gateway, stub, count):
    """Both tenants ask the same streams, each twice: the second asks while the first one's call is held, however fast the machine is."""
    stub.hold_for = "held"
    for number in range(count):
        api, question = (CHAT, RESPONSES, MESSAGES)[number % 3], "What is held?"
        tenants = [f"{name}-{number}" for name in TENANTS]  # Who have asked nothing yet.
        stub.release = threading.Event()
        with contextlib.ExitStack() as stack:

            def ask(tenant):
                caller = stack.enter_context(asking(gateway, api, tenant, question, stream=True))
                return tenant, *wait_for_head(caller)

            leaders = [ask(tenant) for tenant in tenants]
            followers = [ask(tenant) for tenant in tenants]
            stub.release.set()
            said = {}
            for tenant, head, rest in leaders + followers:
                text = api.streamed(rest())
                assert text.startswith(f"answer to {question} for {tenant} #") and text == said.setdefault(tenant, text)
        assert all("\r\nx-sosie-cache: coalesced\r\n" in head for _, head, _ in followers)


@contextlib.contextmanager
def meeting(gateway, stub, count):
    """`meet` beside what the block does."""
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        met = threads.submit(meet, gateway, stub, count)
        yield
        met.result()


@pytest.fixture
def stub(shared):
    """The stub of `shared`, slow enough for requests to meet."""
    shared[1].keep_answers, shared[1].delay = False, 0.003
    return shared[1]


def test_no_answer_crosses(shared, stub):
    before = stub.count()
    with meeting(shared[0], stub, MEETINGS):
        fates, mistakes = ask_as_two(shared[0], REQUESTS)
    assert mistakes == [] and fates.total() == REQUESTS // 2 * 2
    assert fates["hit"] > REQUESTS // 3 and fates["miss"] > 100
    assert stub.count() - before == fates["miss"] + fates["bypass"] + fates["error"] + 2 * MEETINGS


def test_no_answer_crosses_where_much_goes_wrong(start_gateway, upstream):
    """Upstreams fail in every way, callers hang up; who gets something gets their own."""
    upstream.text, upstream.keep_answers, upstream.delay = None, False, 0.003
    upstream.faults, upstream.fault_rate = ["drop", "half", "500", "429", "cut", "half_json", "error_event", "slow"], 0.1
    gateway = start_gateway(upstream.url)
    with meeting(gateway, upstream, MEETINGS):
        fates, mistakes = ask_as_two(gateway, REQUESTS // 2, "rough")
    assert mistakes == [] and fates.total() == REQUESTS // 4 * 2
    assert fates["hit"] > REQUESTS // 8 and fates["left"] > 10
