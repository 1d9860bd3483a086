"""Requests at the same time: one upstream call for all who ask the same."""

import threading
import time

import pytest
from apis import ALL, CHAT, CONVERSATIONS, EMBEDDINGS, MESSAGES, RESPONSES, STREAMING
from callers import QUESTION, asking, at_once, wait_for

WORDINGS = [
    QUESTION,
    "How can I reset my password?",
    "How do I reset my password",
    "How could I reset my password?",
    "How would I reset my password?",
]  # fmt: skip


@pytest.fixture
def stub(shared):
    """The stub of `shared`, slow enough for requests to meet."""
    shared[1].delay = 0.3
    yield shared[1]
    shared[1].delay, shared[1].mode, shared[1].pace = 0.0, "ok", 0.2


def fates(answers):
    return [headers["x-sosie-cache"] for _, headers, _ in answers]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_fifty_at_once_cost_one_call(shared, stub, key, api, stream):
    if stream and api is EMBEDDINGS:
        pytest.skip("embeddings do not stream")
    gateway, before = shared[0], stub.count()
    fields = {"stream": True} if stream else {}
    answers = at_once([lambda: gateway.call(api, QUESTION, key, **fields) for _ in range(50)])
    assert {status for status, _, _ in answers} == {200} and stub.count() == before + 1
    assert len({api.text(body, stream) for _, _, body in answers}) == 1
    assert fates(answers).count("miss") == 1 and set(fates(answers)) <= {"miss", "coalesced", "hit"}
    assert fates(answers).count("coalesced") > 25


@pytest.mark.parametrize("api", CONVERSATIONS, ids=repr)
def test_fifty_in_five_wordings_cost_one_call(shared, stub, key, api):
    gateway, before = shared[0], stub.count()
    stub.delay = 1.0  # They wait for the encoder, one after the other.
    gateway.call(api, "An unlike thing, so that the scope is known", key)
    answers = at_once([lambda text=text: gateway.call(api, text, key) for text in WORDINGS * 10])
    assert {status for status, _, _ in answers} == {200} and len({api.said(body) for _, _, body in answers}) == 1
    assert stub.count() == before + 2


def ask_any(gateway, api, key, stream):
    """Where any API's answer will do: not a response to come back to, which the upstream must know."""
    return gateway.call(api, QUESTION, key, stream=stream, **({"store": False} if api is RESPONSES else {}))


def test_all_apis_at_once_cost_one_call(shared, stub, key):
    gateway, before = shared[0], stub.count()
    ways = [(api, stream) for api in CONVERSATIONS for stream in (False, True)] * 5
    answers = at_once([lambda api=api, stream=stream: ask_any(gateway, api, key, stream) for api, stream in ways])
    said = {api.text(body, stream) for (api, stream), (_, _, body) in zip(ways, answers)}
    assert len(said) == 1 and stub.count() == before + 1, (said, stub.count() - before)


def test_another_tenant_waits_for_nobody_else(shared, stub):
    gateway, before = shared[0], stub.count()
    keys = [f"tenant-{number}" for number in range(5)] * 5
    answers = at_once([lambda key=key: gateway.call(CHAT, QUESTION, key) for key in keys])
    assert stub.count() == before + 5
    assert all(f" for {key} #" in CHAT.said(body) for key, (_, _, body) in zip(keys, answers))


def test_other_questions_wait_for_nobody_else(shared, stub, key):
    gateway, before = shared[0], stub.count()
    texts = ["What is the tallest mountain in Norway?", QUESTION, "Who wrote Hamlet?", "What is the boiling point of water?"]
    begin = time.monotonic()
    answers = at_once([lambda text=text: gateway.call(CHAT, text, key) for text in texts])
    assert stub.count() == before + 4 and time.monotonic() - begin < 1.0
    assert [CHAT.said(body).split(" for ")[0] for _, _, body in answers] == [f"answer to {text}" for text in texts]


@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_followers_see_a_stream_as_it_comes(shared, stub, key, api):
    gateway, before = shared[0], stub.count()
    stub.delay, stub.mode, stub.pace = 0.2, "paced", 0.15
    times = {}

    def follow(name):
        with asking(gateway, api, key, stream=True) as caller:
            said = b""
            while b"\r\n\r\n" not in said or not said.split(b"\r\n\r\n", 1)[1].endswith(b"\n0\r\n\r\n"):
                said += caller.recv(65536)
                times.setdefault(name, []).append(time.monotonic())

    threads = [threading.Thread(target=follow, args=(0,))]
    threads[0].start()
    wait_for(lambda: stub.count() > before)
    for number in (1, 2, 3):
        threads.append(threading.Thread(target=follow, args=(number,)))
        threads[-1].start()
        time.sleep(0.4)  # The last one comes when some has been said.
    for thread in threads:
        thread.join(30)
    assert stub.count() == before + 1
    ends = [seen[-1] for seen in times.values()]
    assert max(ends) - min(ends) < 0.2
    for seen in times.values():
        assert seen[-1] - seen[0] > 0.4, "it came all at once"


def test_a_late_follower_gets_everything(shared, stub, key):
    gateway = shared[0]
    stub.delay, stub.mode, stub.pace = 0.01, "paced", 0.1
    first = []
    leader = threading.Thread(target=lambda: first.append(gateway.call(CHAT, QUESTION, key, stream=True)))
    leader.start()
    time.sleep(0.5)
    _, headers, body = gateway.call(CHAT, QUESTION, key, stream=True)
    leader.join(20)
    assert headers["x-sosie-cache"] == "coalesced" and CHAT.streamed(body) == CHAT.streamed(first[0][2])


@pytest.mark.parametrize("first", [CHAT, RESPONSES, MESSAGES], ids=repr)
def test_plain_and_other_apis_follow_a_stream(shared, stub, key, first):
    gateway, before = shared[0], stub.count()
    stub.delay, stub.mode, stub.pace = 0.1, "paced", 0.05
    led = []
    leader = threading.Thread(target=lambda: led.append(ask_any(gateway, first, key, True)))
    leader.start()
    wait_for(lambda: stub.count() > before)
    ways = [(api, stream) for api in CONVERSATIONS for stream in (False, True)]
    answers = at_once([lambda api=api, stream=stream: ask_any(gateway, api, key, stream) for api, stream in ways])
    leader.join(20)
    said = first.streamed(led[0][2])
    assert [api.text(body, stream) for (api, stream), (_, _, body) in zip(ways, answers)] == [said] * 6 and stub.count() == before + 1
    assert fates(answers).count("coalesced") == 6


def test_nobody_reads_along_where_something_might_be_changed(shared, stub, key):
    gateway, before = shared[0], stub.count()
    stub.mode = "write_tool"
    tools = [{"type": "function", "function": {"name": "send_mail", "parameters": {"type": "object"}}}]
    for stream in (False, True):
        at_once([lambda: gateway.call(CHAT, "Tell Ann that I am late.", key, tools=tools, stream=stream) for _ in range(5)])
    assert stub.count() == before + 10


def test_a_repeat_right_behind_an_answer_finds_it(shared, key):
    """The answer is there for the next request, also while the store still writes."""
    gateway, stub = shared
    before = stub.count()
    for number in range(100):
        for _ in range(2):
            status, headers, body = gateway.call(CHAT, f"What is {number} in words?", f"{key}-{number}")
        assert headers["x-sosie-cache"] == "hit"
    assert stub.count() == before + 100


def test_what_is_said_of_those_who_waited(shared, stub, key):
    gateway = shared[0]
    answers = at_once([lambda: gateway.call(CHAT, QUESTION, key) for _ in range(3)])
    followers = [headers for _, headers, _ in answers if headers["x-sosie-cache"] == "coalesced"]
    assert len(followers) == 2 and all("collapsed" in headers["cache-status"] for headers in followers)


def test_many_streams_at_once(shared, stub, key):
    """Each its own call: nobody starves."""
    gateway, before = shared[0], stub.count()
    stub.delay, stub.mode, stub.pace = 0.1, "paced", 0.05
    answers = at_once([lambda number=number: gateway.call(CHAT, QUESTION, f"{key}-{number}", stream=True) for number in range(100)])
    assert all(CHAT.streamed(body).startswith("answer to") for _, _, body in answers) and stub.count() == before + 100


def test_fifty_followers_of_a_hanging_up_leader(shared, stub, key):
    gateway, before = shared[0], stub.count()
    stub.delay = 0.5
    with asking(gateway, CHAT, key):
        wait_for(lambda: stub.count() > before)
        threads = []
        answers = []
        for _ in range(20):
            threads.append(threading.Thread(target=lambda: answers.append(gateway.call(CHAT, QUESTION, key))))
            threads[-1].start()
        time.sleep(0.1)
    for thread in threads:
        thread.join(20)
    assert fates(answers) == ["coalesced"] * 20 and stub.count() == before + 1
