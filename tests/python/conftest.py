"""A real Redis with the search module, and an OpenAI-compatible endpoint with real embeddings."""

import itertools
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from redis_process import Redis

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import waits for a download


@pytest.fixture(scope="session")
def start_redis(redis_home):
    """start_redis("--requirepass", "…") -> Redis, gone at the end."""
    started = []

    def start(*arguments):
        started.append(Redis(redis_home, arguments, search=True))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.remove()


@pytest.fixture(scope="session")
def redis_server(start_redis):
    """One server for all tests that leave it alive; each test takes an index of its own."""
    return start_redis()


_numbers = itertools.count()


@pytest.fixture
def index_name():
    return f"test{next(_numbers)}idx"


@pytest.fixture
def make(redis_server, index_name):
    """make(**settings) -> sosie.litellm.RedisSemanticCache over the server, closed at the end."""
    from sosie.litellm import RedisSemanticCache

    made = []

    def make(**settings):
        settings = {"redis_url": redis_server.url, "similarity_threshold": 0.85, "index_name": index_name, **settings}
        made.append(RedisSemanticCache(**settings))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


@pytest.fixture(scope="session")
def encoder():
    sosie = pytest.importorskip("sosie")
    return sosie.LocalEncoder()


class EmbeddingEndpoint:
    """POST /v1/embeddings with the local encoder's vectors. `requests` are the bodies; `status`, `delay` make it fail."""

    def __init__(self, encoder):
        self.requests, self.status, self.delay = [], 200, 0.0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(body)
                time.sleep(endpoint.delay)
                texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
                answer = {"error": {"message": "no: " + texts[0], "type": "test", "code": None, "param": None}}
                if endpoint.status == 200:
                    vectors = [one.vector for one in encoder.embed(texts)]
                    answer = {
                        "object": "list",
                        "model": body["model"],
                        "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)],
                        "usage": {"prompt_tokens": 1, "total_tokens": 1},
                    }
                data = json.dumps(answer).encode()
                self.send_response(endpoint.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:
                    pass  # the caller gave up

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def texts(self):
        """Every text that was asked for, in order."""
        return [
            text
            for body in self.requests
            for text in (body["input"] if isinstance(body["input"], list) else [body["input"]])
        ]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint(encoder, monkeypatch):
    """What litellm.embedding(model="text-embedding-ada-002") asks."""
    made = EmbeddingEndpoint(encoder)
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, made.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    yield made
    made.close()
