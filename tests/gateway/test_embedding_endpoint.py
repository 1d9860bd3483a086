"""Embeddings of an endpoint instead of the encoder in the gateway's process; the endpoint is another sosie."""

import json

import pytest
from callers import QUESTION, at_once, wait_for
from stub_upstream import StubUpstream

PARAPHRASE = "How can I reset my password?"
OTHER = "What is the capital of France?"
MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def endpoint(start_gateway, tmp_path):
    return start_gateway(None, data=tmp_path / "endpoint")


@pytest.fixture
def settings(tmp_path):
    """settings(url, ...) -> the environment of a gateway that asks that endpoint, with a key of the operator's."""

    def write(url, model=MODEL, **more):
        lines = {"url": f"{url}/v1", "model": model, "key_env": "EMBEDDER_KEY", "timeout": "2s", **more}
        file = tmp_path / "endpoint.toml"
        file.write_text("[embedder]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items()))
        return {"SOSIE_CONFIG": str(file), "EMBEDDER_KEY": "sk-operator"}

    return write


def cache_of(headers):
    return headers["x-sosie-cache"], headers.get("x-sosie-layer") or headers.get("x-sosie-reason")


def test_other_words_hit_by_the_endpoints_vectors(start_gateway, upstream, endpoint, settings):
    gateway = start_gateway(upstream.url, env=settings(endpoint.url))
    assert cache_of(gateway.ask(QUESTION)[1])[0] == "miss"
    assert cache_of(gateway.ask(QUESTION)[1]) == ("hit", "exact")
    status, headers, _ = gateway.ask(PARAPHRASE)
    assert (status, *cache_of(headers)) == (200, "hit", "semantic")
    assert cache_of(gateway.ask(OTHER)[1]) == ("miss", "below_threshold")
    assert gateway.metric("sosie_cache_embeddings_total") >= 3
    assert upstream.count() == 2
    errors = gateway.errors()
    assert "sk-operator" not in errors and QUESTION not in errors


def test_many_callers_ask_it_at_once(start_gateway, upstream, endpoint, settings):
    upstream.text = None
    gateway = start_gateway(upstream.url, env=settings(endpoint.url))
    gateway.ask(QUESTION)
    texts = [f"{PARAPHRASE} {i}?" for i in range(40)]
    answers = at_once([lambda text=text: gateway.ask(text) for text in texts])
    assert [status for status, _, _ in answers] == [200] * 40


def test_vectors_of_another_space_are_not_compared(start_gateway, upstream, endpoint, settings, tmp_path):
    """The same model in this process and behind a URL: what one of them stored, the other finds by its very text only."""
    data = tmp_path / "both"
    first = start_gateway(upstream.url, data=data)
    first.ask(QUESTION)
    assert cache_of(first.ask(PARAPHRASE)[1]) == ("hit", "semantic")
    assert first.stop() == 0
    second = start_gateway(upstream.url, env=settings(endpoint.url), data=data)
    assert cache_of(second.ask(QUESTION)[1]) == ("hit", "exact")


def test_without_the_endpoint_exact_hits_go_on_and_the_rest_is_passed_through(start_gateway, upstream, endpoint, settings):
    gateway = start_gateway(upstream.url, env=settings(endpoint.url))
    gateway.ask(QUESTION)
    endpoint.stop()
    assert cache_of(gateway.ask(QUESTION)[1]) == ("hit", "exact")
    status, headers, _ = gateway.ask(PARAPHRASE)
    assert status == 200 and cache_of(headers)[0] != "hit"
    assert upstream.count() == 2
    assert gateway.request("GET", "/healthz")[0] == 200


def test_callers_may_not_ask_it_with_the_operators_key(start_gateway, upstream, endpoint, settings):
    """Embeddings are the upstream's matter, or nobody's; it is not listed as a model."""
    gateway = start_gateway(None, env=settings(endpoint.url))
    asked = gateway.request("POST", "/v1/embeddings", {"model": MODEL, "input": "a text"}, {"Authorization": "Bearer sk-caller"})
    assert asked[0] == 503 and json.loads(asked[2])["error"]["code"] == "no_upstream"
    assert json.loads(gateway.request("GET", "/v1/models")[2])["data"] == []


def test_the_environments_key_is_not_sent_to_it(start_gateway, upstream, tmp_path):
    """OPENAI_API_KEY belongs to OpenAI; what has no key_env is asked without one."""
    asked = StubUpstream()
    file = tmp_path / "endpoint.toml"
    file.write_text(f'[embedder]\nurl = "{asked.url}"\nmodel = "m"\ndimension = 3\n')
    gateway = start_gateway(upstream.url, env={"SOSIE_CONFIG": str(file), "OPENAI_API_KEY": "sk-openai", "OPENAI_ORGANIZATION": "org"})
    gateway.ask(QUESTION)
    gateway.ask(PARAPHRASE)
    wait_for(lambda: asked.count())
    for call in asked.calls:
        assert not {"authorization", "openai-organization"} & {name.lower() for name in call["headers"]}
    asked.close()


def test_texts_that_differ_beyond_its_window_only_are_kept_apart(start_gateway, upstream, endpoint, settings):
    gateway = start_gateway(upstream.url, env=settings(endpoint.url, max_tokens=32))
    long = "Please say how I reset my password. My machine is number "
    gateway.ask(long + "one")
    wait_for(lambda: gateway.metric("sosie_cache_entries") == 1)
    assert cache_of(gateway.ask(long + "two")[1]) == ("miss", "unseen_differs")


def test_a_vector_of_another_length_is_no_vector(start_gateway, upstream, endpoint, settings):
    gateway = start_gateway(upstream.url, env=settings(endpoint.url, dimension=100))
    assert gateway.ask(QUESTION)[0] == 200
    assert gateway.ask(PARAPHRASE)[0] == 200
    assert upstream.count() == 2
    assert cache_of(gateway.ask(QUESTION)[1]) == ("hit", "exact")


@pytest.mark.parametrize(
    "lines, told",
    [
        ('url = "http://127.0.0.1:1/v1"', '[embedder] "model"'),
        ('url = "ftp://x"\nmodel = "m"', '[embedder] "url" is wrong'),
        ('url = "http://127.0.0.1:1/v1"\nmodel = "m"\nprecision = "int8"', "precision"),
        ('timeout = "2s"', 'there are "url", "model", "precision", "prefix"'),
        ('url = "http://127.0.0.1:1/v1"\nmodel = "m"\nkey_env = "NOT_SET_ANYWHERE"', "NOT_SET_ANYWHERE"),
        ('url = "http://127.0.0.1:1/v1"\nmodel = "m"', "dimension"),
    ],
)
def test_mistakes_are_named(sosie, tmp_path, lines, told):
    file = tmp_path / "sosie.toml"
    file.write_text(f"[embedder]\n{lines}\n")
    assert told in sosie("serve", "--config", file, "--data", tmp_path / "data", "--listen", "127.0.0.1:0", code=2).stderr.decode()


def test_doctor_and_commands_use_it(sosie, endpoint, settings, tmp_path):
    env = settings(endpoint.url)
    told = sosie("doctor", "--data", tmp_path / "data", env=env).stdout.decode()
    assert f"{MODEL} at {endpoint.url}/v1, 384 dimensions" in told
    sosie("set", QUESTION, "Click on it.", "--data", tmp_path / "data", env=env)
    assert b"Click on it." in sosie("get", PARAPHRASE, "--data", tmp_path / "data", env=env).stdout
    assert sosie("get", OTHER, "--data", tmp_path / "data", env=env, code=1)
