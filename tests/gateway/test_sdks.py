"""The official clients, for Python and for Node, in front of the gateway: from one stored answer every way to ask hears the same."""

import dataclasses
import json
import subprocess

import pytest
from sdk_surfaces import PARAPHRASE, QUESTION, WAYS, Heard, Surfaces


@pytest.fixture(scope="session")
def node(node_folder):
    """A process that asks with the clients for Node: see tests/node/asks.mjs."""
    process = subprocess.Popen(["node", "asks.mjs"], cwd=node_folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    yield process
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


class Failed(Exception):
    pass


def ask_node(node, url, key, way, text, tools):
    node.stdin.write(json.dumps({"url": url, "key": key, "way": way, "text": text, "tools": list(tools)}) + "\n")
    node.stdin.flush()
    heard = json.loads(node.stdout.readline())
    if "error" in heard:
        raise Failed(heard)
    return heard


@pytest.fixture(params=["python", "node"])
def ask(request, shared, key):
    """ask(way, text, tools) -> (what was heard, upstream calls it took)"""
    gateway, stub = shared
    stub.mode = "ok"
    if request.param == "node":
        node = request.getfixturevalue("node")

        def hear(way, text, tools):
            heard = ask_node(node, gateway.url, key, way, text, tools)
            return Heard(heard["text"], [tuple(call) for call in heard["calls"]], heard["finish"], tuple(heard["usage"]))
    else:
        surfaces = Surfaces(gateway, key)

        def hear(way, text, tools):
            return getattr(surfaces, way)(text, tools)

    def ask(way, text=QUESTION, tools=()):
        before = stub.count()
        return hear(way, text, tools), stub.count() - before

    yield ask
    stub.mode = "ok"


@pytest.mark.parametrize("first", WAYS)
def test_one_answer_for_every_way_to_ask(ask, key, first):
    fresh, calls = ask(first)
    assert calls == 1 and fresh.text.startswith(f"answer to {QUESTION} for {key} #")
    assert (fresh.calls, fresh.finish, fresh.usage) == ([], "stop", (3, 2))
    for second in WAYS:
        assert (second, *ask(second)) == (second, fresh, 0)
        assert (second, *ask(second, PARAPHRASE)) == (second, fresh, 0)
    assert ask(first, "What is the tallest mountain in Norway?")[1] == 1


@pytest.mark.parametrize("mode", ["tools", "two_tools"])
@pytest.mark.parametrize("first", WAYS)
def test_tool_calls_for_every_way_to_ask(ask, shared, first, mode):
    shared[1].mode = mode
    tools, question = ["weather", "total"], "Look up Oslo, and add the numbers."
    fresh, calls = ask(first, question, tools)
    assert calls == 1 and fresh.finish == "tool_calls" and fresh.calls[0] == ("call_1", "weather", {"city": "Oslo"})
    assert (fresh.text is None) == (mode == "tools") and len(fresh.calls) == (1 if mode == "tools" else 2)
    for second in WAYS:
        assert (second, *ask(second, question, tools)) == (second, fresh, 0)
    assert ask(first, "Look up Oslo, and then add the numbers.", tools)[1] == 1  # Tools that read: for the very same text only.
    assert ask(first, question, ["weather"])[1] == 1  # Other tools, another question.


@pytest.mark.parametrize("way", WAYS)
def test_what_changes_the_world_is_never_repeated(ask, shared, way):
    shared[1].mode = "write_tool"
    for _ in range(2):
        heard, calls = ask(way, "Tell Ann that I am late.", ["send_mail"])
        assert calls == 1 and heard.calls == [("call_1", "send_mail", {"to": "ann"})]


@pytest.mark.parametrize("mode,status", [("429", 429), ("500", 500), ("drop", 502), ("half", 502)])
def test_failures_are_told_in_the_clients_own_way(ask, shared, mode, status):
    for number, way in enumerate(way for way in WAYS if mode != "half" or "_" not in way):
        shared[1].modes = [mode]
        with pytest.raises(Exception) as failed:
            ask(way)
        said = failed.value.args[0] if isinstance(failed.value, Failed) else {"status": failed.value.status_code}
        assert (way, said["status"]) == (way, status)
        assert ask("chat", f"What is the meaning of {2**number}?")[1] == 1  # Too many failures in a row, and the upstream is left alone.
    assert ask("chat")[1] == 1


@pytest.mark.parametrize("way", [way for way in WAYS if "_" in way])
@pytest.mark.parametrize("mode", ["cut", "cut_clean", "error_event"])
def test_a_broken_stream_is_no_answer(ask, shared, way, mode):
    shared[1].mode = mode
    with pytest.raises(Exception):
        ask(way)
    shared[1].mode = "ok"
    assert ask(way)[1] == 1


def test_completions_and_embeddings_of_node(node, shared, key):
    gateway, stub = shared
    before = stub.count()
    fresh = ask_node(node, gateway.url, key, "completions", QUESTION, [])
    for way in ("completions", "completions_stream"):
        for text in (QUESTION, PARAPHRASE):
            assert ask_node(node, gateway.url, key, way, text, []) == fresh
    assert stub.count() == before + 1
    vectors = [ask_node(node, gateway.url, key, "embeddings", QUESTION, []) for _ in range(2)]
    assert vectors[0] == vectors[1] and vectors[0]["vector"][0] == len(QUESTION) and stub.count() == before + 2
    assert ask_node(node, gateway.url, key, "embeddings", PARAPHRASE, []) != vectors[0] and stub.count() == before + 3


def test_one_entry_for_both_languages(node, shared, key):
    gateway, stub = shared
    before = stub.count()
    heard = [dataclasses.asdict(getattr(Surfaces(gateway, key), way)(QUESTION)) for way in WAYS]
    heard += [ask_node(node, gateway.url, key, way, QUESTION, []) for way in WAYS]
    assert {one["text"] for one in heard} == {heard[0]["text"]} and stub.count() == before + 1
