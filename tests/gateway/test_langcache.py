"""The LangCache routes, driven by the real clients and by hand."""

import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


def run_session(command, folder=HERE):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0 and "all is well" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["0.11.1", "0.12.0", "0.13.0"])
def test_the_clients_of_before(langcache_servers, langcache_python, version):
    run_session([langcache_python(version), "langcache_session.py", *langcache_servers])


def test_the_client_of_today(langcache_servers):
    run_session([sys.executable, "langcache_session.py", *langcache_servers])


def test_the_client_for_node(langcache_servers, node_folder):
    run_session(["node", "langcache.mjs", *langcache_servers], node_folder)


def test_redisvl(langcache_servers):
    run_session([sys.executable, "redisvl_session.py", langcache_servers[0]])


def test_statuses_and_errors_by_hand(start_gateway):
    gateway = start_gateway()
    at = "/v1/caches/docs"
    status, headers, body = gateway.request("POST", at + "/entries", b"{nope")
    error = json.loads(body)
    assert status == 400 and headers["content-type"] == "application/json" and error["type"] == "/errors/invalid-data"
    assert {"title", "type", "status"} <= set(error) and error["fields"][0]["field"] == "body"

    bad = {"prompt": 5, "ttlMillis": 31556952001, "attributes": {"a": ""}}
    error = json.loads(gateway.request("POST", at + "/entries", bad)[2])
    assert {f["field"] for f in error["fields"]} == {"prompt", "response", "ttlMillis", "attributes.a"}
    bad = {"prompt": "x", "searchStrategies": ["fuzzy"], "similarityThreshold": "high", "maxResults": 0}
    error = json.loads(gateway.request("POST", at + "/entries/search", bad)[2])
    assert {f["field"] for f in error["fields"]} == {"searchStrategies", "similarityThreshold", "maxResults"}

    missing = at + "/entries/" + "0" * 32
    for agent, uri in [
        ("speakeasy-sdk/python 0.11.1 2.0 1.0 langcache", "/errors/cache/entry/not-found"),
        ("speakeasy-sdk/python 0.12.0 2.0 1.0 langcache", "/errors/resource-not-found"),
        ("speakeasy-sdk/typescript 0.11.1 2.760.2 1.0 @redis-ai/langcache", "/errors/cache/entry/not-found"),
    ]:
        status, _, body = gateway.request("DELETE", missing, headers={"User-Agent": agent})
        assert (status, json.loads(body)["type"]) == (404, uri)

    status, headers, body = gateway.request("POST", at + "/flush")
    assert status == 204 and body == b"" and "content-length" not in headers
    assert gateway.request("POST", at + "/entries", {"prompt": "a", "response": "b"})[0] == 201
    status, headers, body = gateway.request("GET", at + "/entries")
    assert (status, headers["allow"], json.loads(body)["status"]) == (405, "POST, DELETE", 405)
    assert gateway.request("GET", at + "/entries/search")[1]["allow"] == "POST"
    assert gateway.request("POST", at + "/nothing")[0] == 404


def test_several_results_best_first(start_gateway):
    gateway = start_gateway()
    for prompt in ("How do I reset my password?", "How can I reset my password?", "Where is my parcel?"):
        gateway.request("POST", "/v1/caches/c/entries", {"prompt": prompt, "response": "r"})
    body = {"prompt": "How do I reset my password?", "maxResults": 5, "searchStrategies": ["exact", "semantic"]}
    data = json.loads(gateway.request("POST", "/v1/caches/c/entries/search", body)[2])["data"]
    assert [d["searchStrategy"] for d in data] == ["exact", "semantic"] and data[0]["similarity"] == 1 > data[1]["similarity"]


def test_an_entry_leaves_when_its_time_is_over(start_gateway):
    import time

    gateway = start_gateway()
    gateway.request("POST", "/v1/caches/c/entries", {"prompt": "short", "response": "r", "ttlMillis": 1500})
    search = lambda: json.loads(gateway.request("POST", "/v1/caches/c/entries/search", {"prompt": "short"})[2])["data"]
    assert len(search()) == 1
    time.sleep(1.6)
    assert search() == []


def test_searches_are_counted_and_readiness_is_none(start_gateway):
    gateway = start_gateway()
    search = lambda prompt: gateway.request("POST", "/v1/caches/c/entries/search", {"prompt": prompt})
    search("How do I reset my password?")
    gateway.request("POST", "/v1/caches/c/entries", {"prompt": "How do I reset my password?", "response": "r"})
    search("How can I reset my password?")
    lookups = ["sosie_langcache_misses_total", 'sosie_langcache_hits_total{layer="semantic"}']
    assert [gateway.metric(name) for name in lookups] == [1, 1]
    embedded = gateway.metric("sosie_cache_embeddings_total")
    assert gateway.request("GET", "/readyz")[0] == 200
    assert [gateway.metric(name) for name in lookups] == [1, 1]
    assert gateway.metric('sosie_uncached_total{api="chat",reason="empty_scope"}') == 0
    assert gateway.metric("sosie_cache_embeddings_total") == embedded
