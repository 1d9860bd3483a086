"""What a langcache client does with a server, run by whichever interpreter has the client version under test: URL, URL of a
server whose store is out of reach. The server takes bodies of 64 KiB."""

import importlib.metadata
import sys

from langcache import LangCache, errors
from langcache.models import SearchStrategy

url, broken_url = sys.argv[1:]
version = tuple(map(int, importlib.metadata.version("langcache").split(".")))
has_conversations = version >= (0, 12)
EXACT, SEMANTIC = SearchStrategy.EXACT, SearchStrategy.SEMANTIC


def refusal(kind, call):
    """The error that the call must raise."""
    try:
        call()
    except kind as error:
        return error.data
    raise AssertionError(f"no {kind.__name__}")


def at(server, cache_id):
    # Caches of its own, as several versions share the server.
    return LangCache(server_url=server, cache_id=f"{cache_id}-{'.'.join(map(str, version))}", api_key="any")


with at(url, "docs") as docs, at(url, "other") as other, at(broken_url, "docs") as broken:
    assert docs.search(prompt="How do I reset my password?").data == []

    stored = docs.set(prompt="How do I reset my password?", response="Settings, Security, Reset.", attributes={"lang": "en"}, ttl_millis=600_000)
    assert len(stored.entry_id) == 32

    found = docs.search(prompt="How can I reset my password?").data
    assert len(found) == 1 and found[0].id == stored.entry_id and found[0].response == "Settings, Security, Reset."
    assert found[0].attributes == {"lang": "en"} and found[0].search_strategy == SEMANTIC
    assert 0.9 < found[0].similarity < 1

    exact = docs.search(prompt="HOW DO I RESET MY PASSWORD?", search_strategies=[EXACT]).data
    assert len(exact) == 1 and exact[0].similarity == 1 and exact[0].search_strategy == EXACT
    assert docs.search(prompt="How can I reset my password?", search_strategies=[EXACT]).data == []
    both = [EXACT, SEMANTIC]
    assert docs.search(prompt="How can I reset my password?", search_strategies=both).data[0].search_strategy == SEMANTIC
    assert docs.search(prompt="How do I reset my password?", search_strategies=both).data[0].search_strategy == EXACT

    assert docs.search(prompt="How can I reset my password?", similarity_threshold=0.9999).data == []
    assert docs.search(prompt="How can I reset my password?", attributes={"lang": "no"}).data == []
    assert len(docs.search(prompt="How can I reset my password?", attributes={"lang": "en"}).data) == 1
    assert other.search(prompt="How do I reset my password?").data == []

    for refused in (
        lambda: docs.search(prompt=""),
        lambda: docs.search(prompt="x" * 1025),
        lambda: docs.search(prompt="x", similarity_threshold=1.5),
        lambda: docs.set(prompt="x", response="y", attributes={"a": "with,comma"}),
        lambda: docs.set(prompt="x", response="y", attributes={"no spaces": "v"}),
        lambda: docs.set(prompt="x", response="y", attributes={str(i): "v" for i in range(6)}),
        lambda: docs.set(prompt="x", response="y", ttl_millis=0),
        lambda: docs.set(prompt=" ", response="y"),
        lambda: docs.delete_query(attributes={}),
    ):
        error = refusal(errors.BadRequestErrorResponseContent, refused)
        assert error.status == 400 and error.type == "/errors/invalid-data", error

    error = refusal(errors.PayloadTooLargeErrorResponseContent, lambda: docs.set(prompt="x", response="y" * 70_000))
    assert error.status == 413 and error.type == "/errors/payload-too-large"
    error = refusal(errors.NotFoundErrorResponseContent, lambda: other.delete_by_id(entry_id=stored.entry_id))  # Another cache's.
    assert error.status == 404
    unavailable = getattr(errors, "FailedDependencyErrorResponseContent", None) or errors.ResourceUnavailableErrorResponseContent
    for call in (lambda: broken.search(prompt="x"), lambda: broken.set(prompt="x", response="y"), lambda: broken.flush()):
        assert refusal(unavailable, call).status == 424

    if has_conversations:
        spring = docs.set(prompt="What is the capital of France?", response="Paris.", attributes={"lang": "en"})
        before = ["What is the capital of Germany?", "How many people live there?"]
        heard = docs.conversational_search(prompt="What is the capital city of France?", context=before)
        assert heard.actual_prompt == "What is the capital city of France?" and [e.id for e in heard.data] == [spring.entry_id]
        # It asks for the people of Berlin, not for what was stored under the same words elsewhere.
        docs.set(prompt="And how many people live there?", response="Two million.")
        heard = docs.conversational_search(prompt="And how many people live there?", context=before, search_strategies=both)
        assert heard.actual_prompt == "And how many people live there?" and heard.data == []
        # The first question of a conversation has nothing to lean on.
        for first in ({}, {"context": []}):
            assert len(docs.conversational_search(prompt="And how many people live there?", **first).data) == 1
        assert docs.conversational_search(prompt="What is the capital city of France?", context=before, attributes={"lang": "no"}).data == []
        refusal(errors.BadRequestErrorResponseContent, lambda: docs.conversational_search(prompt="x", context=["y"] * 101))
        docs.set(prompt="What is the capital of Spain?", response="Madrid.")
        assert len(docs.search(prompt="What is the capital city of France?", similarity_threshold=0.5, max_results=2).data) == 2

    docs.delete_by_id(entry_id=stored.entry_id)
    assert docs.search(prompt="How do I reset my password?").data == []

    docs.flush()
    for i, lang in enumerate(["en", "en", "no"]):
        docs.set(prompt=f"Question number {i} about ships", response="r", attributes={"lang": lang})
    assert docs.delete_query(attributes={"lang": "en"}).deleted_entries_count == 2
    other.set(prompt="Mine", response="r")
    docs.flush()
    assert docs.search(prompt="Question number 2 about ships").data == []
    assert len(other.search(prompt="Mine").data) == 1
print("all is well")
