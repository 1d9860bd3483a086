"""Prompts of 64 bytes or more for each token of the encoder's window: too long to be compared by meaning."""

import json
import threading
import time

import pytest
from apis import CHAT, CONVERSATIONS
from callers import QUESTION, at_once, wait_for

PARAPHRASE = "How can I reset my password?"
LONG = "What does this log say? " + "one line of it\n" * 1400


@pytest.mark.parametrize("api", CONVERSATIONS, ids=str)
def test_the_very_same_text_answers_and_nothing_else(gateway, upstream, api):
    status, headers, _ = gateway.call(api, LONG, "ann")
    assert (status, headers["x-sosie-cache"], headers["x-sosie-reason"]) == (200, "miss", "long_prompt")
    assert headers["cache-status"] == 'sosie; fwd=miss; detail="long_prompt"'
    first = headers["x-sosie-request-id"]
    headers = gateway.call(api, LONG, "ann")[1]
    assert (headers["x-sosie-cache"], headers["x-sosie-layer"]) == ("hit", "exact")
    for other in (LONG + "And?", LONG.replace("What", "what")):
        headers = gateway.call(api, other, "ann")[1]
        assert (headers["x-sosie-cache"], headers["x-sosie-reason"]) == ("miss", "long_prompt")
    assert gateway.metric(f'sosie_uncached_total{{api="{api}",reason="long_prompt"}}') == 3
    assert gateway.metric("sosie_cache_embeddings_total") == 0
    assert upstream.count() == 3

    def told():
        return json.loads(gateway.request("GET", f"/v1/explain/{first}", None, api.headers("ann"))[2])

    wait_for(lambda: told()["stored"])
    said = told()
    assert (said["reason"], said["reuse"], said["reuse_reason"], said["exact_only"]) == ("long_prompt", "exact", "long_prompt", "long_prompt")
    assert said["explanation"] == (
        "no entry in this scope has this very text, and others were not considered: the text is too long to be compared by meaning"
    )


def test_a_call_for_a_long_prompt_is_joined_by_its_very_same_text_only(gateway, upstream):
    upstream.modes = ["wait"]
    first = threading.Thread(target=gateway.call, args=(CHAT, LONG, "ann"))
    first.start()
    wait_for(lambda: upstream.count() == 1)
    others = [LONG, LONG + "And?", QUESTION]
    threading.Timer(1, upstream.release.set).start()
    fates = [headers["x-sosie-cache"] for _, headers, _ in at_once([lambda text=text: gateway.call(CHAT, text, "ann") for text in others])]
    first.join()
    assert fates == ["coalesced", "miss", "miss"]
    assert gateway.metric("sosie_cache_embeddings_total") == 1  # Of the short one.


@pytest.mark.parametrize("piece", ["a", "word "], ids=["one word", "words"])
def test_a_prompt_at_the_bodys_limit_delays_no_lookup(gateway, piece):
    huge = piece * ((30 << 20) // len(piece))
    for key in ("ann", "bob"):
        assert gateway.call(CHAT, QUESTION, key)[1]["x-sosie-cache"] == "miss"
    said = []
    asking = threading.Thread(target=lambda: said.extend(gateway.call(CHAT, huge, "ann", timeout=60)[1] for _ in range(2)))
    asking.start()
    while asking.is_alive():
        begin = time.monotonic()
        headers = gateway.call(CHAT, PARAPHRASE, "bob")[1]
        assert (headers["x-sosie-cache"], headers["x-sosie-layer"]) == ("hit", "semantic")
        assert time.monotonic() - begin < 1.5
    asking.join()
    assert [headers.get("x-sosie-reason", headers["x-sosie-cache"]) for headers in said] == ["long_prompt", "hit"]
