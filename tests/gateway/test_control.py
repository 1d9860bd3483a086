"""What a request can ask of the cache in each dialect, what its answer says in return, and why."""

import hashlib
import json
import subprocess
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
    """No other wording reaches 0.9999, in whatever precision."""
    settings = tmp_path / "sosie.toml"
    settings.write_text(f'[cache]\nthreshold = 0.9999\n[tenant]\nmay_loosen = ["{hashlib.sha256(b"trusted").hexdigest()}"]\n')
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
    """They may be secrets."""
    body = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
    key = {"authorization": f"Bearer {key}"}
    speaks.request("POST", "/v1/chat/completions?route=first", body, key)

    def told():
        path = "/v1/chat/completions?route=second"
        _, said, _ = speaks.request("POST", path, body, {**key, "x-sosie-namespace": "second", "cache-control": "no-store"})
        return explain(speaks, said["x-sosie-request-id"], key)[1]

    text = json.dumps(until(told, lambda told: "closest" in told))
    assert "query" in text and "partition" in text and "first" not in text and "second" not in text


def test_candidates_are_shown_with_both_measures(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    speaks.ask(QUESTION, key)

    def asked_after_it():
        _, said, _ = speaks.ask(PARAPHRASE, {**key, "x-sosie-threshold": "0.999", "cache-control": "no-store"})
        return explain(speaks, said["x-sosie-request-id"], key)[1]

    # Else the first answer was on its way into the store: found already, or created after this request had begun.
    told = until(asked_after_it, lambda told: "similarity" in told and told["candidates"])
    assert told["reason"] == "below_threshold" and told["threshold"] == 0.999
    (near,) = told["candidates"]
    assert near["prompt"] == QUESTION and near["similarity"] == pytest.approx(told["similarity"], abs=1e-4) and near["would_hit"] is False
    assert near["langcache_similarity"] == pytest.approx((1 + near["similarity"]) / 2, abs=1e-6)


def test_what_came_later_is_no_candidate(speaks, key):
    """Not the request's own answer either."""
    key = {"authorization": f"Bearer {key}"}
    _, first, _ = speaks.ask(QUESTION, key)

    def asked_after_it():
        _, said, _ = speaks.ask(PARAPHRASE, {**key, "x-sosie-threshold": "0.999", "cache-control": "no-store"})
        return explain(speaks, said["x-sosie-request-id"], key)[1]

    until(asked_after_it, lambda told: told["candidates"])
    assert explain(speaks, first["x-sosie-request-id"], key)[1]["candidates"] == []


def test_what_was_not_obeyed_is_named(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    wishes = {"x-sosie-threshold": "0.5", "cache-control": "max-stale=3, no-cache", "x-bf-cache-threshold": "0.4"}
    _, said, _ = speaks.ask(QUESTION, {**key, **wishes}, cache={"surprise": 1})
    _, told = explain(speaks, said["x-sosie-request-id"], {**key, "x-bf-cache-threshold": "0.4"})
    assert told["threshold"] == 0.85 and told["not_obeyed"] == [
        "Cache-Control max-stale: it has no effect here",
        "x-bf-cache-threshold: [gateway] compat does not name bifrost",
        "cache.surprise: it has no effect here",
        "x-sosie-threshold 0.5: lower than the server's 0.85, and [tenant] may_loosen does not list this key",
    ]
    _, said, _ = speaks.ask(QUESTION, key)
    assert "not_obeyed" not in explain(speaks, said["x-sosie-request-id"], key)[1]


@pytest.mark.parametrize("text, words", [("Wie setze ich mein Passwort zur\u00fcck?", ["zur\u00fcck"]), ("How do I reset my GPT-4o password?", ["GPT-4o"]), (QUESTION, None)])
def test_words_that_the_encoder_does_not_see_are_named(speaks, key, text, words):
    key = {"authorization": f"Bearer {key}"}
    speaks.ask(QUESTION if words else "How do I reset my caf\u00e9?", key)

    def asked_after_it():
        _, said, _ = speaks.ask(text, {**key, "cache-control": "no-store"})
        return said

    said = until(asked_after_it, lambda said: said["x-sosie-reason"] == "unseen_differs")
    assert said["x-sosie-reason"] == "unseen_differs" and "fwd=miss" in said["cache-status"]
    _, told = explain(speaks, said["x-sosie-request-id"], key)
    assert told["reason"] == "unseen_differs" and told.get("unseen") == words and told["candidates"] == []
    assert ", ".join(words or ["this text has none"]) in told["explanation"]


def test_an_explanation_changes_nothing(speaks, key):
    key = {"authorization": f"Bearer {key}"}
    speaks.ask(QUESTION, key)

    def asked_after_it():
        _, said, _ = speaks.ask(PARAPHRASE, {**key, "x-sosie-threshold": "0.999", "cache-control": "no-store"})
        return said["x-sosie-request-id"], explain(speaks, said["x-sosie-request-id"], key)[1]

    request_id, _ = until(asked_after_it, lambda asked: asked[1]["candidates"])  # By then the answer is stored.

    def figures():
        text = speaks.request("GET", "/metrics")[2].decode()
        return [line for line in text.splitlines() if line.startswith(("sosie_cache", "sosie_hits", "sosie_uncached", "sosie_embed", "sosie_entries", "sosie_stored"))]

    before = figures()
    assert before and explain(speaks, request_id, key)[1]["candidates"] and figures() == before


OTHER_CREDENTIALS = [
    ("", {"x-goog-api-key": "K"}),
    ("?key=K", {}),
    ("?x=1&access_token=K", {"authorization": "Bearer shared"}),
    ("", {"authorization": "Bearer shared", "X-Forwarded-User": "K"}),
    ("", {"authorization": "Bearer shared", "Cf-Access-Jwt-Assertion": "K"}),
    ("", {"authorization": "Bearer shared", "X-Customer-Id": "K"}),
    ("?odd=K", {"x-odd": "K"}),
]


@pytest.mark.parametrize("query, headers", OTHER_CREDENTIALS)
def test_who_uses_other_credentials_is_told_nothing_of_others(speaks, query, headers, key):
    """One of two callers asked the same before. The other must not hear of it, nor read the first one's explanation."""
    body = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}

    def as_caller(name, text=None, **fields):
        own = {k: v.replace("K", name).replace("shared", key) for k, v in headers.items()}
        path = query.replace("K", name)
        if text:
            return explain(speaks, text + path, own)
        return speaks.request("POST", "/v1/chat/completions" + path, {**body, **fields}, {**own, "cache-control": "no-store" if fields else "max-age=60"})[1]

    first = as_caller(f"{key}-first")["x-sosie-request-id"]
    until(lambda: as_caller(f"{key}-first", as_caller(f"{key}-first", temperature=0.2)["x-sosie-request-id"])[1], lambda told: "closest" in told)
    second = as_caller(f"{key}-second", temperature=0.2)["x-sosie-request-id"]
    status, told = as_caller(f"{key}-second", second)
    assert status == 200 and "closest" not in told and told["explanation"] == "no entry in this scope"
    assert as_caller(f"{key}-second", first)[0] == 404 and as_caller(f"{key}-first", first)[0] == 200


def test_the_encoder_is_no_oracle_for_who_has_no_key(speaks, key):
    """Keys are not checked, for the gateway knows none; but where callers bring some, nobody goes without."""
    embed = {"model": "all-MiniLM-L6-v2", "input": QUESTION}
    search = {"prompt": QUESTION}
    for path, body, kind in (("/v1/embeddings", embed, "missing_key"), ("/v1/caches/c/entries/search", search, None)):
        status, headers, said = speaks.request("POST", path, body)
        assert status in (401, 403) and (kind is None or json.loads(said)["error"]["code"] == kind), (path, said)
        assert speaks.request("POST", path, body, {"authorization": f"Bearer {key}"})[0] == 200
    text = f"How do I reset {key}?"
    speaks.ask(text)
    _, said, _ = speaks.ask(f"How can I reset {key}?", {"x-sosie-threshold": "0.9999"})
    _, told = explain(speaks, said["x-sosie-request-id"])
    assert "candidates" not in told


def test_without_an_upstream_or_with_one_tenant_the_encoder_answers_all(start_gateway, upstream, tmp_path):
    embed = {"model": "all-MiniLM-L6-v2", "input": QUESTION}
    assert start_gateway(data=tmp_path / "alone").request("POST", "/v1/embeddings", embed)[0] == 200
    settings = tmp_path / "sosie.toml"
    settings.write_text('[tenant]\nby = "everyone"\n')
    one = start_gateway(upstream.url, env={"SOSIE_CONFIG": str(settings)}, data=tmp_path / "one")
    assert one.request("POST", "/v1/embeddings", embed)[0] == 200
    assert one.request("POST", "/v1/caches/c/entries/search", {"prompt": QUESTION})[0] == 200


def test_headers_that_are_ignored_keep_nothing_apart(start_gateway, upstream, tmp_path, sosie_bin):
    settings = tmp_path / "sosie.toml"
    settings.write_text('[gateway]\nignored_headers = ["X-My-Trace"]\n')
    gateway = start_gateway(upstream.url, env={"SOSIE_CONFIG": str(settings)})
    assert gateway.ask(QUESTION, {"x-my-trace": "1"})[1]["x-sosie-cache"] == "miss"
    assert upstream.calls[-1]["headers"]["x-my-trace"] == "1"
    assert gateway.ask(QUESTION, {"X-My-Trace": "2"})[1]["x-sosie-cache"] == "hit"
    assert gateway.ask(QUESTION, {"x-others-trace": "2"})[1]["x-sosie-cache"] == "miss"


@pytest.mark.parametrize("name", ["Authorization", "x-goog-api-key", "user-agent", "traceparent", "x-sosie-threshold", "host", "cookie", "not a name", "x-codex-id"])
def test_an_ignored_header_that_has_no_effect_is_refused(sosie_bin, tmp_path, name):
    settings = tmp_path / "sosie.toml"
    settings.write_text(f'[gateway]\nignored_headers = ["{name}"]\n')
    command = [sosie_bin, "--config", settings, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "ignored_headers" in done.stderr


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
