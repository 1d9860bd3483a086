"""A real LiteLLM proxy with one line in its config.yaml."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytest.importorskip("sosie")
pytest.importorskip("litellm")
pytest.importorskip("fastapi", reason="litellm[proxy] is not installed")

MASTER_KEY = "sk-9c1f2d7b5a3e4860b1d4c7e8f9a0b2c3"
QUESTION, PARAPHRASE, OTHER = (
    "How do I reset my password?",
    "How can I reset my password?",
    "What is the capital of France?",
)

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/gpt-4o-mini, api_key: sk-none, mock_response: "Click on 'forgot'."}}
  - model_name: embedder
    litellm_params: {{model: openai/text-embedding-ada-002, api_base: "{endpoint}", api_key: sk-test}}
litellm_settings:
{lines}
"""
LINE = '  callbacks: ["sosie.litellm.proxy"]\n'
CACHE = """  cache: true
  cache_params:
    type: redis-semantic
    redis_url: {redis}
    similarity_threshold: 0.85
    redis_semantic_cache_index_name: {index}
    redis_semantic_cache_embedding_model: {model}
"""


class Proxy:
    def __init__(self, folder, config):
        (folder / "config.yaml").write_text(config)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", folder / "proxy.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [pathlib.Path(sys.executable).with_name("litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
                cwd=folder, stdout=log, stderr=log, env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": MASTER_KEY},
            )  # fmt: skip
        until = time.monotonic() + 120
        while True:
            try:
                self.get("/health/liveliness")
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise RuntimeError(f"the proxy does not answer: {self._log.read_text()[-3000:]}") from None
                time.sleep(0.2)

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {MASTER_KEY}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def ask(self, text, **more):
        """(answer, headers)."""
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": text}], **more}).encode()
        request = urllib.request.Request(self.url + "/chat/completions", body, {"Content-Type": "application/json"})
        request.add_header("Authorization", f"Bearer {MASTER_KEY}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode(), {name.lower(): value for name, value in answer.headers.items()}

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def wait_for_entries(redis_server, index_name, count):
    until = time.monotonic() + 20
    while len(redis_server.client().keys(f"{index_name}:*")) != count:
        assert time.monotonic() < until, "nothing was stored"
        time.sleep(0.05)


@pytest.mark.parametrize("order", ["line first", "line last"])
def test_one_line_in_config_yaml(tmp_path, redis_server, index_name, endpoint, order):
    cache = CACHE.format(redis=redis_server.url, index=index_name, model="embedder")
    lines = LINE + cache if order == "line first" else cache + LINE
    proxy = Proxy(tmp_path, CONFIG.format(endpoint=endpoint.url, lines=lines))
    try:
        proxy.ask(QUESTION)
        wait_for_entries(redis_server, index_name, 1)
        again, headers = proxy.ask(QUESTION)
        assert json.loads(again)["choices"][0]["message"]["content"] == "Click on 'forgot'."
        assert "x-litellm-cache-key" in headers and float(headers["x-litellm-semantic-similarity"]) == 1
        _, headers = proxy.ask(PARAPHRASE)
        assert 0.85 <= float(headers["x-litellm-semantic-similarity"]) < 1
        proxy.ask(QUESTION, stream=True)  # in another scope: LiteLLM's key knows of the stream
        wait_for_entries(redis_server, index_name, 2)
        streamed, headers = proxy.ask(PARAPHRASE, stream=True)
        assert 0.85 <= float(headers["x-litellm-semantic-similarity"]) < 1
        pieces = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
        assert "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces) == "Click on 'forgot'."
        info = proxy.get("/health/readiness/details")["cache"]["index_info"]
        assert (
            info["index_name"] == index_name
            and info["exact_hits"] == 1
            and info["semantic_hits"] == 2
            and info["faults"] == 0
        )
        assert {body["model"] for body in endpoint.requests} == {"text-embedding-ada-002"}  # through the proxy's Router
    finally:
        proxy.stop()
