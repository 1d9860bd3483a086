"""What RedisVL's LangCacheSemanticCache does with a server: URL."""

import sys

from redisvl.extensions.cache.llm import LangCacheSemanticCache

cache = LangCacheSemanticCache(name="docs", server_url=sys.argv[1], cache_id="redisvl", api_key="any", distance_scale="normalized")
ASKED = {"user": "a,b", "path": "v/w"}  # Sent percent-encoded, as LangCache takes no comma.

assert cache.check(prompt="How do I reset my password?") == []
key = cache.store("How do I reset my password?", "Settings, Security, Reset.", metadata=ASKED)
[hit] = cache.check(prompt="How can I reset my password?", distance_threshold=0.1, attributes=ASKED)
assert hit["response"] == "Settings, Security, Reset." and hit["metadata"] == ASKED, hit
assert cache.check(prompt="How can I reset my password?", attributes={"user": "c"}) == []
assert cache.check(prompt="How can I reset my password?", distance_threshold=0.0001) == []
cache.delete_by_id(hit["entry_id"])
assert cache.check(prompt="How do I reset my password?") == []

cache.store("What is the capital of France?", "Paris.", metadata={"lang": "en"})
cache.store("What is the capital of Spain?", "Madrid.", metadata={"lang": "es"})
assert cache.delete_by_attributes({"lang": "en"})["deleted_entries_count"] == 1
[hit] = cache.check(prompt="What is the capital city of Spain?")
assert hit["response"] == "Madrid."
cache.clear()
assert cache.check(prompt="What is the capital city of Spain?") == []
print("all is well")
