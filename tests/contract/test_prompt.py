"""The prompt of a request against LiteLLM's own, on random requests by the thousand."""

import json
import os
import random

import pytest

from test_python_value import ask

TEXTS = ["a", " ", "", "b\n", "\u00a0x\u2003", "\u00e9\U0001f600", "\x1c", "\u200b", "tool_result", "text", "\ud83d", "\x7f\\\""]
KEYS = ["content", "text", "type", "output", "input_text", "output_text", "role", "search_results", "source", "title", "citations", "name"]
SCALARS = [None, 0, 1, 1.5, True, False, 1e22, 1e-7, 10**30, float("nan"), float("-inf"), -0.0]


@pytest.fixture(scope="module")
def upstream():
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip("litellm")
    from litellm.caching.redis_semantic_cache import RedisSemanticCache

    if not hasattr(RedisSemanticCache, "_collect_responses_input_text"):
        pytest.skip("this LiteLLM is too old")
    return RedisSemanticCache._get_prompt_from_kwargs


def value(rng, depth=0):
    kind = rng.randrange(12 if depth < 5 else 7)
    if kind == 3:
        return rng.choice(SCALARS)
    if kind < 7:
        return rng.choice(TEXTS)
    if kind < 9:
        return [value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return {rng.choice(KEYS): rng.choice(["text", "tool_result", "x"]) if rng.random() < 0.2 else value(rng, depth + 1) for _ in range(rng.randint(0, 4))}


def message(rng):
    if rng.random() < 0.03:
        return value(rng, 3)
    return {key: value(rng, 1) for key in rng.sample(["content", "search_results", "role", "name"], rng.randint(0, 4))}


def request(rng):
    made = {}
    if rng.random() < 0.6:
        made["messages"] = value(rng, 4) if rng.random() < 0.05 else [message(rng) for _ in range(rng.randint(0, 3))]
    if rng.random() < 0.6:
        made["input"] = value(rng)
    return made


def test_prompts_are_litellms(upstream):
    rng = random.Random(int(os.environ.get("SOSIE_SEED", "1")))
    requests = [json.dumps(request(rng)) for _ in range(int(os.environ.get("SOSIE_TEXTS", "10000")))]
    for sent, answer in zip(requests, ask("prompt", [sent.encode() for sent in requests])):
        try:
            prompt = upstream(**json.loads(sent))
        except Exception:
            expected = b"raise"
        else:
            expected = b"none" if prompt is None else b"=" + prompt.encode("utf-8", "surrogatepass")
        assert answer == expected, sent
