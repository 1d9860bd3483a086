"""What a langcache client does with a server, run by whichever interpreter has the client version under test: URL."""

import sys

from langcache import LangCache
from langcache.errors import BadRequestErrorResponseContent, NotFoundErrorResponseContent
from langcache.models import SearchStrategy

url = sys.argv[1]
with LangCache(server_url=url, cache_id="docs", api_key="any") as docs, LangCache(server_url=url, cache_id="other", api_key="any") as other:
    assert docs.search(prompt="How do I reset my password?").data == []

    stored = docs.set(prompt="How do I reset my password?", response="Settings, Security, Reset.", attributes={"lang": "en"}, ttl_millis=600_000)
    assert len(stored.entry_id) == 32

    found = docs.search(prompt="How can I reset my password?").data
    assert len(found) == 1 and found[0].id == stored.entry_id and found[0].response == "Settings, Security, Reset."
    assert found[0].attributes == {"lang": "en"} and found[0].search_strategy == SearchStrategy.SEMANTIC
    assert 0.9 < found[0].similarity < 1

    exact = docs.search(prompt="HOW DO I RESET MY PASSWORD?", search_strategies=[SearchStrategy.EXACT]).data
    assert len(exact) == 1 and exact[0].similarity == 1 and exact[0].search_strategy == SearchStrategy.EXACT
    assert docs.search(prompt="How can I reset my password?", search_strategies=[SearchStrategy.EXACT]).data == []
    both = [SearchStrategy.EXACT, SearchStrategy.SEMANTIC]
    assert docs.search(prompt="How can I reset my password?", search_strategies=both).data[0].search_strategy == SearchStrategy.SEMANTIC
    assert docs.search(prompt="How do I reset my password?", search_strategies=both).data[0].search_strategy == SearchStrategy.EXACT

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
        try:
            refused()
        except BadRequestErrorResponseContent as error:
            assert error.data.status == 400 and error.data.type == "/errors/invalid-data", error.data
        else:
            raise AssertionError("was accepted")

    try:
        other.delete_by_id(entry_id=stored.entry_id)
    except NotFoundErrorResponseContent as error:
        assert error.data.status == 404
    else:
        raise AssertionError("another cache's entry was deleted")
    docs.delete_by_id(entry_id=stored.entry_id)
    assert docs.search(prompt="How do I reset my password?").data == []

    for i, lang in enumerate(["en", "en", "no"]):
        docs.set(prompt=f"Question number {i} about ships", response="r", attributes={"lang": lang})
    assert docs.delete_query(attributes={"lang": "en"}).deleted_entries_count == 2
    other.set(prompt="Mine", response="r")
    docs.flush()
    assert docs.search(prompt="Question number 2 about ships").data == []
    assert len(other.search(prompt="Mine").data) == 1
print("all is well")
