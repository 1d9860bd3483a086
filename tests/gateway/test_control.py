"""What a request can ask of the cache in each dialect, what its answer says in return, and why."""

import hashlib
import json
import time

import pytest

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"


@pytest.fixture(scope="module")
def speaks(shared):
    gateway, _ = shared
    return gateway


@pytest.fixture
def polyglot(start_gateway, upstream):
    return start_gateway(upstream.url, "--compat", "litellm,portkey,helicone,cloudflare,bifrost")


def explain(gateway, request_id, headers=None):
    status, _, body = gateway.request("GET", f"/v1/explain/{request_id}", headers=headers)
    return status, json.loads(body)


def until(told, holds, seconds=10):
    """What `told()` says once it holds: an answer is stored, and its scope noted, behind the caller's back."""
    deadline = time.monotonic() + seconds
    while not holds(said := told()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return said


def test_each_dialect_hears_what_happened(polyglot):
    _, miss, _ = polyglot.ask(QUESTION)
    assert miss["x-portkey-cache-status"] == "SEMANTIC MISS"
    assert (miss["helicone-cache"], miss["cf-aig-cache-status"]) == ("MISS", "MISS")
    assert miss["x-litellm-semantic-similarity"] == "0.0" and "x-litellm-cache-key" not in miss
    _, hit, _ = polyglot.ask(PARAPHRASE)
    assert hit["x-portkey-cache-status"] == "SEMANTIC HIT"
    assert (hit["helicone-cache"], hit["cf-aig-cache-status"]) == ("HIT", "HIT")
    assert 0.85 <= float(hit["x-litellm-semantic-similarity"]) < 1 and hit["x-litellm-cache-key"] == hit["x-sosie-entry-id"]
    _, same, _ = polyglot.ask(QUESTION)
    assert same["x-portkey-cache-status"] == "HIT"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-portkey-cache-namespace": "n"},
        {"helicone-cache-seed": "s"},
        {"cf-aig-cache-key": "k"},
        {"x-bf-cache-key": "k"},
        {"x-bf-vk": "v"},
        {"x-sosie-namespace": "n"},
    ],
)
def test_a_division_of_any_dialect_is_one_and_stays_here(polyglot, upstream, headers):
    polyglot.ask(QUESTION)
    _, apart, _ = polyglot.ask(QUESTION, headers)
    assert apart["x-sosie-cache"] == "miss"
    assert not set(headers) & set(upstream.calls[-1]["headers"])
    _, together, _ = polyglot.ask(QUESTION, headers)
    assert together["x-sosie-cache"] == "hit"


@pytest.mark.parametrize(
    ("headers", "fate", "portkey"),
    [
        ({"x-portkey-cache-force-refresh": "true"}, "bypass", "REFRESH"),
        ({"x-portkey-cache": "simple"}, "miss", "MISS"),
        ({"x-bf-cache-type": "direct"}, "miss", "MISS"),
        ({"cf-aig-skip-cache": "true"}, "bypass", "REFRESH"),
        ({"helicone-cache-enabled": "false"}, "bypass", "REFRESH"),
        ({"x-bf-cache-threshold": "1"}, "miss", "SEMANTIC MISS"),
        ({"cache-control": "no-cache"}, "bypass", "REFRESH"),
        ({"x-sosie-cache-control": "exact"}, "miss", "MISS"),
    ],
)
def test_a_wish_makes_a_paraphrase_ask_again(polyglot, headers, fate, portkey):
    polyglot.ask(QUESTION)
    _, said, _ = polyglot.ask(PARAPHRASE, headers)
    assert (said["x-sosie-cache"], said["x-portkey-cache-status"]) == (fate, portkey)


def test_dialects_that_are_off_are_strangers(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    speaks.ask(QUESTION, key)
    _, said, _ = speaks.ask(QUESTION, {**key, "x-bf-cache-key": "k"})
    assert said["x-sosie-cache"] == "miss"  # an unknown header keeps answers apart
    assert not {"x-portkey-cache-status", "helicone-cache", "cf-aig-cache-status"} & set(said)


def test_only_a_listed_key_may_loosen(start_gateway, upstream, tmp_path):
    settings = tmp_path / "sosie.toml"
    settings.write_text(f'[cache]\nthreshold = 0.99\n[tenant]\nmay_loosen = ["{hashlib.sha256(b"trusted").hexdigest()}"]\n')
    gateway = start_gateway(upstream.url, env={"SOSIE_CONFIG": str(settings)})
    for name, fate in (("trusted", "hit"), ("other", "miss")):
        key = {"authorization": f"Bearer {name}", "x-sosie-threshold": "0.8"}
        gateway.ask(QUESTION, key)
        _, said, _ = gateway.ask(PARAPHRASE, key)
        assert said["x-sosie-cache"] == fate, name


def test_opt_in_waits_to_be_asked(start_gateway, upstream):
    gateway = start_gateway(upstream.url, "--opt-in")
    for _ in range(2):
        _, said, _ = gateway.ask(QUESTION)
        assert (said["x-sosie-cache"], said["x-sosie-reason"]) == ("bypass", "not_asked_for")
    for fate in ("miss", "hit"):
        _, said, _ = gateway.ask(QUESTION, cache={"use-cache": True})
        assert said["x-sosie-cache"] == fate


def test_a_miss_is_explained_by_the_scope_that_was_near(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    speaks.ask(QUESTION, key, temperature=0.7)

    def asked_elsewhere():
        _, said, _ = speaks.ask(QUESTION, {**key, "cache-control": "no-store"}, temperature=0.2)
        return explain(speaks, said["x-sosie-request-id"], key)[1]

    told = until(asked_elsewhere, lambda told: "closest" in told)
    assert told["fate"] == "miss" and told["reason"] == "empty_scope" and told["candidates"] == []
    assert told["explanation"].startswith("no entry in this scope: temperature (0.7 there, 0.2 here) differs from entry ")
    assert told["closest"].startswith("the same text has an entry in another scope: temperature")
    shown = {part["name"]: part.get("shown") for part in told["parts"]}
    assert shown["temperature"] == 0.2 and shown["tenant"] is None
    assert "key-" not in json.dumps(told)


def test_a_query_and_a_namespace_are_not_shown(speaks, key):
    """They may hold keys, and of those who send none in a header all are one tenant."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"{QUESTION} {key}"}]}
    for secret in ("first", "second"):
        path = f"/v1/chat/completions?api_key={secret}"
        _, said, _ = speaks.request("POST", path, body, {"x-sosie-namespace": secret, "cache-control": "no-store"} if secret == "second" else {})

    def told():
        return explain(speaks, said["x-sosie-request-id"])[1]

    text = json.dumps(until(told, lambda told: "closest" in told))
    assert "query" in text and "partition" in text and "first" not in text and "second" not in text


def test_candidates_are_shown_with_both_measures(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    _, first, _ = speaks.ask(QUESTION, key)
    until(lambda: explain(speaks, first["x-sosie-request-id"], key)[1], lambda told: told["candidates"])
    _, said, _ = speaks.ask(PARAPHRASE, {**key, "x-sosie-threshold": "0.999"})
    assert said["x-sosie-reason"] == "below_threshold"
    _, told = explain(speaks, said["x-sosie-request-id"], key)
    near = next(each for each in told["candidates"] if each["prompt"] == QUESTION)
    assert near["similarity"] == pytest.approx(told["similarity"], abs=1e-4) and near["would_hit"] is False
    assert near["langcache_similarity"] == pytest.approx((1 + near["similarity"]) / 2, abs=1e-6)
    assert told["threshold"] == 0.999


def test_a_policy_is_explained(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    for text, fields, reason in ((QUESTION, {"temperature": 1.5}, "high_temperature"), ("What is the news today?", {}, "time_bound")):
        _, said, _ = speaks.ask(text, key, **fields)
        assert (said["x-sosie-cache"], said["x-sosie-reason"]) == ("bypass", reason)
        _, told = explain(speaks, said["x-sosie-request-id"], key)
        assert told["reuse"] == "bypass" and told["reuse_reason"] == reason
    _, said, _ = speaks.ask(QUESTION, key, seed=7)
    _, told = explain(speaks, said["x-sosie-request-id"], key)
    assert (told["reuse"], told["reuse_reason"]) == ("exact", "seed")


def test_nobody_else_is_told(speaks, key):
    mine = {"authorization": f"Bearer {key}"}
    _, said, _ = speaks.ask(QUESTION, mine)
    request_id = said["x-sosie-request-id"]
    assert explain(speaks, request_id, {"x-api-key": key})[0] == 200
    assert explain(speaks, request_id, {"authorization": f"Bearer {key}x"})[0] == 404
    assert explain(speaks, request_id)[0] == 404
    for guess in (request_id[:-1] + ("0" if request_id[-1] != "0" else "1"), "req-" + 24 * "0", "", "..", request_id.upper()):
        assert explain(speaks, guess, mine)[0] == 404, guess
