"""POST /v1/embeddings by the local encoder, asked by the official client."""

import math

import openai
import pytest


@pytest.fixture
def client(start_gateway):
    return openai.OpenAI(base_url=start_gateway().url + "/v1", api_key="k", max_retries=0)


def test_texts_become_unit_vectors_in_both_formats(client):
    texts = ["How do I reset my password?", "How can I reset my password?", "The weather is fine."]
    encoded = client.embeddings.create(model="any", input=texts)  # base64 on the wire
    plain = client.embeddings.create(model="any", input=texts, encoding_format="float")
    assert encoded.model == "all-MiniLM-L6-v2" and encoded.usage.prompt_tokens == encoded.usage.total_tokens > 10
    assert [d.index for d in encoded.data] == [0, 1, 2]
    for a, b in zip(encoded.data, plain.data):
        assert len(a.embedding) == 384 and math.isclose(sum(x * x for x in a.embedding), 1, abs_tol=1e-4)
        assert max(abs(x - y) for x, y in zip(a.embedding, b.embedding)) < 1e-6
    near, far = (sum(x * y for x, y in zip(encoded.data[0].embedding, encoded.data[i].embedding)) for i in (1, 2))
    assert near > 0.9 > 0.5 > far


def test_many_texts_keep_their_order(client):
    texts = [f"text number {i}" for i in range(100)]
    many = client.embeddings.create(model="any", input=texts)
    one = client.embeddings.create(model="any", input=texts[77])
    assert many.data[77].embedding == one.data[0].embedding


@pytest.mark.parametrize(
    "change,param",
    [
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": []}, "input"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1, 2, 3]]}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": "word " * 400}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 128}, "dimensions"),
    ],
)
def test_what_cannot_be_done_is_refused(client, change, param):
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(**{"model": "any", "input": "x", **change})
    assert refused.value.param == param


@pytest.mark.parametrize("text", ["word " * 400, "x" * (64 * 256)], ids=["tokens", "bytes"])
def test_a_long_text_is_refused_by_openais_code(client, text):
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="any", input=["x", text])
    assert refused.value.code == "context_length_exceeded" and refused.value.message.count("input 1 is longer than the model's window of 256 tokens") == 1
    assert client.embeddings.create(model="any", input="x" * (64 * 256 - 1)).usage.total_tokens == 3


def test_our_own_dimension_is_welcome(client):
    assert len(client.embeddings.create(model="any", input="x", dimensions=384).data[0].embedding) == 384
