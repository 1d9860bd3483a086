"""A process that gets no more memory: who asked for too much gets 503, and everybody else is served. What is held no longer than it is
needed."""

import contextlib
import json
import resource

import pytest
from apis import CHAT
from callers import asking, resident, wait_for


def address_space(process):
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


@pytest.fixture
def unsanitized(gateway):
    with open(f"/proc/{gateway.process.pid}/maps") as file:
        if "asan" in file.read():
            pytest.skip("a sanitizer's shadow memory is larger than any limit, and it holds on to what is freed")


@pytest.fixture
def tight(gateway, unsanitized):
    """Sets how many bytes the gateway may still get."""

    def limit(spare):
        most = resource.RLIM_INFINITY if spare is None else address_space(gateway.process) + spare
        resource.prlimit(gateway.process.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    return limit


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/other"])
def test_too_little_memory_is_503_and_harms_nobody_else(gateway, tight, path):
    body = {"model": "stub-model", "messages": [{"role": "user", "content": "x" * (24 << 20)}], "input": "x"}
    assert gateway.ask("Before.")[0] == 200
    assert gateway.request("GET", "/readyz")[0] == 200  # oneDNN has set itself up: that it cannot do without memory.
    seen = []
    for spare in (1 << 20, 16 << 20, 40 << 20, 80 << 20):
        tight(spare)
        status, headers, answer = gateway.request("POST", path, json.dumps(body).encode())
        seen.append(status)
        assert status in (200, 503), (spare, status, answer[:200])  # What an earlier request gave back may be enough for a later one.
        if status == 503:
            assert json.loads(answer)["error"]["message"] and headers["connection"] == "close"
        assert gateway.request("GET", "/healthz")[0] == 200
    assert seen[0] == 503
    tight(None)
    assert gateway.ask("Before.")[1]["x-sosie-cache"] == "hit"
    assert gateway.process.poll() is None


PICTURE = "data:image/png;base64," + "A" * (8 << 20)


@pytest.mark.parametrize("fields", [{}, {"stream": True, "stream_options": {"include_usage": True}}, {"stream": "no"}], ids=["whole", "stream", "passed on"])
def test_a_body_that_is_sent_is_not_held_while_its_answer_is_awaited(gateway, unsanitized, upstream, fields):
    upstream.mode = "wait"
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    messages = {"messages": [{"role": "user", "content": content}]}
    most = []
    with contextlib.ExitStack() as callers:
        for number in range(16):
            callers.enter_context(asking(gateway, CHAT, f"key-{number}", **messages, **fields))
            wait_for(lambda: upstream.count() > number)
            most.append(resident(gateway))
        assert most[-1] - most[3] < 32, most  # MB; the bodies of these twelve are 96.
        upstream.release.set()
