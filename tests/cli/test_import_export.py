"""Entries out of a store and into another, and in from LiteLLM's and RedisVL's indexes."""

import hashlib
import json
import re
import socket
import struct
import subprocess
import sys
import time

import pytest

QUESTION, PARAPHRASE = "How do I reset my password?", "How can I reset my password?"
INDEX = "litellm_semantic_cache_index"


def lines(exported):
    return sorted((json.loads(line) for line in exported.splitlines()), key=lambda entry: entry["id"])


def question(entry):
    return entry["prompt"], json.dumps(entry["scope"])


def jsonl(*entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


ENTRIES = [
    {"scope": "", "prompt": QUESTION, "response": "Settings, Security, Reset.", "attributes": {}, "created": "2026-01-02T03:04:05.678Z", "expires": None},
    {"scope": {"hex": "00ff"}, "prompt": "caf\u00e9 \U0001f600\n\"x\"", "response": {"hex": "fffe00"}, "attributes": {"user": {"hex": "80"}, "": "v"}, "created": "1969-12-31T23:59:59.999Z", "expires": "9999-12-31T23:59:59.999Z"},
    {"scope": "s", "prompt": QUESTION, "response": "a\u0000b", "attributes": [["y", "z"], [{"hex": "ff"}, "x"]], "created": "0000-01-01T00:00:00.000Z", "expires": "2100-02-28T00:00:00.001Z"},
    {"scope": "s", "prompt": "far away", "response": "", "attributes": {}, "created": -99999999999999, "expires": 183456789012345678},
]


@pytest.fixture(params=["embedded", "redis"])
def target(request, tmp_path):
    """The flags of an empty store, and a URL where it is in Redis."""
    if request.param == "embedded":
        return lambda name: ["--data", tmp_path / name]
    server = request.getfixturevalue("redis_server")()
    config = {}

    def flags(name):
        config[name] = tmp_path / f"{name}.toml"
        config[name].write_text(f'[store]\ntype = "redis"\nurl = "{server.url}"\nname = "{name}"\n')
        return ["--config", config[name]]

    return flags


def test_what_only_the_same_text_finds_stays_so(sosie, target):
    first, second = target("first"), target("second")
    assert sosie("import", "-", *first, stdin=jsonl({"prompt": QUESTION, "response": "exactly", "exact_only": True})).stdout == b"1 stored\n"
    exported = sosie("export", *first).stdout
    assert json.loads(exported)["exact_only"] is True
    sosie("import", "-", *second, stdin=exported)
    for store in (first, second):
        assert b"exactly" in sosie("get", QUESTION, *store).stdout
        sosie("get", PARAPHRASE, *store, code=1)
    wrong = sosie("import", "-", *first, stdin=jsonl({"prompt": "p", "response": "r", "exact_only": 1}), code=2)
    assert b"exact_only that is neither true nor false" in wrong.stderr


def test_an_import_of_an_export_is_the_same(sosie, target, tmp_path):
    first, second = target("first"), target("second")
    assert sosie("import", "-", *first, stdin=jsonl(*ENTRIES)).stdout == b"4 stored\n"
    exported = sosie("export", *first).stdout
    assert [{key: value for key, value in entry.items() if key != "id"} for entry in sorted(lines(exported), key=question)] == sorted(ENTRIES, key=question)
    (tmp_path / "file.jsonl").write_bytes(exported)
    for _ in range(2):  # again is harmless
        assert sosie("import", tmp_path / "file.jsonl", *second).stdout == b"4 stored\n"
    assert lines(sosie("export", *second).stdout) == lines(exported)
    assert sosie("export", tmp_path / "out.jsonl", *second).stdout == b""
    assert lines((tmp_path / "out.jsonl").read_bytes()) == lines(exported)
    assert sosie("get", PARAPHRASE, *second).stdout == b"Settings, Security, Reset.\n"


def test_a_store_of_thousands_goes_in_batches(sosie, tmp_path):
    entries = [{"prompt": f"What is {n} squared?", "response": str(n * n), "created": "2026-01-01T00:00:00Z"} for n in range(1000)]
    sosie("import", "-", "--data", tmp_path / "a", stdin=jsonl(*entries))
    exported = lines(sosie("export", "--data", tmp_path / "a").stdout)
    assert {(entry["prompt"], entry["response"]) for entry in exported} == {(entry["prompt"], entry["response"]) for entry in entries}


def test_looking_at_a_store_makes_no_entry_leave_and_a_full_one_says_so(sosie, tmp_path):
    entries = [{"prompt": f"q{n}", "response": "r" * 10_000} for n in range(20)]
    said = sosie("import", "-", "--data", tmp_path / "a", "--max-bytes", "100KB", stdin=jsonl(*entries)).stdout.decode()
    stored, evicted = said.splitlines()
    assert stored == "20 stored" and int(evicted.split()[0]) > 5 and "--max-bytes" in evicted
    left = len(lines(sosie("export", "--data", tmp_path / "a").stdout))
    assert left == 20 - int(evicted.split()[0]) == json.loads(sosie("stats", "--json", "--data", tmp_path / "a").stdout)["entries"]


def test_what_cannot_be_kept_is_left_out_and_counted(sosie, tmp_path):
    source = jsonl(
        {"prompt": "kept", "response": "r", "created": "2026-01-01T01:00:00.1239+01:00"},
        {"prompt": "gone", "response": "r", "expires": "2001-01-01T00:00:00Z"},
        {"prompt": " \n", "response": "r"},
        {"prompt": {"hex": "ff"}, "response": "r"},
    )
    done = sosie("import", "-", "--data", tmp_path / "a", "--scope", "other", stdin=b"\n" + source + b"  \n")
    assert done.stdout.decode().splitlines() == ["1 stored", "1 left out: expired", "2 left out: the prompt is blank or not UTF-8"]
    (entry,) = lines(sosie("export", "--data", tmp_path / "a").stdout)
    assert (entry["prompt"], entry["scope"], entry["created"], entry["expires"]) == ("kept", "other", "2026-01-01T00:00:00.123Z", None)


def test_a_mistake_is_named_with_its_line(sosie, tmp_path):
    good = {"prompt": "p", "response": "r"}
    for bad, named in [
        ("[]", "object"),
        ("{", "object"),
        ('{"response": "r"}', "prompt"),
        ('{"prompt": "p"}', "response"),
        ('{"prompt": "p", "response": {"hex": "f"}}', "response"),
        ('{"prompt": "p", "response": "r", "scope": 1}', "scope"),
        ('{"prompt": "p", "response": "r", "attributes": {"a": 1}}', "attributes"),
        ('{"prompt": "p", "response": "r", "created": "yesterday"}', "creation"),
        ('{"prompt": "p", "response": "r", "expires": "2026-02-30T00:00:00Z"}', "expiry"),
    ]:
        (tmp_path / "bad.jsonl").write_text(json.dumps(good) + "\n" + bad + "\n")
        said = sosie("import", tmp_path / "bad.jsonl", "--data", tmp_path / "a", code=2).stderr.decode()
        assert "bad.jsonl:2 " in said and named in said, (bad, said)
    sosie("import", tmp_path / "nowhere.jsonl", "--data", tmp_path / "a", code=2)
    sosie("import", tmp_path, "--data", tmp_path / "a", code=2)
    sosie("export", "--data", tmp_path / "nowhere", code=2)
    sosie("export", tmp_path / "no" / "folder", "--data", tmp_path / "a", code=2)


def send(server, *words):
    """One command with words of any bytes."""
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        data = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in (w if isinstance(w, bytes) else str(w).encode() for w in words))
        line.sendall(b"*%d\r\n" % len(words) + data)
        assert line.recv(4096).startswith((b"+", b":"))


def litellm_writes(server, prompt, response, key=None, index=INDEX, ttl=None, **more):
    """The hash that LiteLLM (with `key`: since 1.84) writes through RedisVL."""
    name = hashlib.sha256((prompt + (f"litellm_cache_key{key}" if key else "")).encode()).hexdigest()
    fields = {"entry_id": name, "prompt": prompt, "response": response, "prompt_vector": struct.pack("<4f", 1, 0, 0, 0), "inserted_at": "1755000000.25", "updated_at": "1755000000.25", **more}
    if key is not None:
        fields["litellm_cache_key"] = key
    send(server, "HSET", f"{index}:{name}", *(word for field in fields.items() for word in field))
    if ttl:
        send(server, "EXPIRE", f"{index}:{name}", ttl)


def test_a_litellm_index_moves_in(sosie, redis_server, tmp_path):
    server = redis_server(search=False)
    body = '{"id":"chatcmpl-1","content":"it\'s \\"Paris\\"\\n\u00e9"}'
    litellm_writes(server, "python repr", repr({"timestamp": 1755000000.5, "response": body}), key="k1", ttl=3600)
    litellm_writes(server, "json", json.dumps({"timestamp": 1755000001, "response": body}), key="k1")
    litellm_writes(server, "anthropic", repr({"timestamp": 1755000002.5, "response": {"id": "msg_1", "stop": None}}), key="k2")
    litellm_writes(server, "old, no key", repr({"timestamp": 1755000003.0, "response": body}))
    litellm_writes(server, "no envelope", "{'content': 'Paris'}", key="k2")
    litellm_writes(server, "invalid bytes", b"{'timestamp': 1.5, 'response': 'a\xffb'}", key="k2")
    litellm_writes(server, "unreadable", "ModelResponse(id='x')", key="k2")
    litellm_writes(server, "unreadable too", "{[]: 1}", key="k2")
    litellm_writes(server, "", repr({"timestamp": 1.0, "response": "image only"}), key="k2")
    litellm_writes(server, "isolated", json.dumps({"timestamp": 1, "response": "i"}), key="k", index=INDEX + "_isolated")
    litellm_writes(server, "neighbour", json.dumps({"timestamp": 1, "response": "n"}), key="k", index=INDEX + "2")
    send(server, "SET", INDEX + ":not_a_hash", "x")
    send(server, "HSET", INDEX + ":incomplete", "prompt", "p")

    done = sosie("import", server.url, "--data", tmp_path / "a")
    assert done.stdout.decode().splitlines() == ["6 stored", "1 left out: the prompt is blank or not UTF-8", "3 left out: the response cannot be read"]
    found = {entry["prompt"]: entry for entry in lines(sosie("export", "--data", tmp_path / "a").stdout)}
    assert {prompt: (entry["scope"], entry["response"], entry["created"]) for prompt, entry in found.items()} == {
        "python repr": ("k1", body, "2025-08-12T12:00:00.500Z"),
        "json": ("k1", body, "2025-08-12T12:00:01.000Z"),
        "anthropic": ("k2", '{"id":"msg_1","stop":null}', "2025-08-12T12:00:02.500Z"),
        "old, no key": ("", body, "2025-08-12T12:00:03.000Z"),
        "no envelope": ("k2", '{"content":"Paris"}', "2025-08-12T12:00:00.250Z"),
        "invalid bytes": ("k2", "ab", "1970-01-01T00:00:01.500Z"),
    }
    assert all((entry["expires"] is not None) == (prompt == "python repr") for prompt, entry in found.items())
    ends = time.mktime(time.strptime(found["python repr"]["expires"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert 3500 < ends - time.time() <= 3600

    assert sosie("import", server.url, "--index", INDEX + "_isolated", "--scope", "s", "--data", tmp_path / "b").stdout == b"1 stored\n"
    assert [(entry["prompt"], entry["scope"]) for entry in lines(sosie("export", "--data", tmp_path / "b").stdout)] == [("isolated", "s")]
    assert b"no_such" in sosie("import", server.url, "--index", "no_such", "--data", tmp_path / "c", code=1).stderr
    assert int(server.cli("DBSIZE")) == 13, "the source is only read"


def test_a_redisvl_index_moves_in_with_its_texts_as_they_are_and_its_filters_as_attributes(sosie, redis_server, tmp_path):
    server = redis_server(search=False)
    for n, response in enumerate(["Paris", "123", '{"a": 1}', "None"]):
        litellm_writes(server, f"q{n}", response, index="my*[cache]", metadata='{"m": 1}', user=f"u{n}")
    litellm_writes(server, "x", "y", index="myXcache")
    assert sosie("import", server.url, "--index", "my*[cache]:", "--data", tmp_path / "a").stdout == b"4 stored\n"
    assert [(entry["prompt"], entry["response"], entry["attributes"], entry["scope"]) for entry in sorted(lines(sosie("export", "--data", tmp_path / "a").stdout), key=lambda entry: entry["prompt"])] == [
        ("q0", "Paris", {"user": "u0"}, ""),
        ("q1", "123", {"user": "u1"}, ""),
        ("q2", '{"a": 1}', {"user": "u2"}, ""),
        ("q3", "None", {"user": "u3"}, ""),
    ]


def test_an_index_whose_name_goes_on_is_another_one(sosie, redis_server, tmp_path):
    server = redis_server()
    for index in ["faq", "faq:eu", "faqs"]:
        litellm_writes(server, f"of {index}", json.dumps({"timestamp": 1755000000.5, "response": index}), key="k", index=index)
    for index in ["faq", "faq:eu"]:
        data = tmp_path / index.replace(":", "_")
        assert sosie("import", server.url, "--index", index, "--data", data).stdout == b"1 stored\n"
        assert [entry["prompt"] for entry in lines(sosie("export", "--data", data).stdout)] == [f"of {index}"]


def test_an_index_of_several_pages_moves_into_redis(sosie, redis_server):
    server = redis_server()
    for n in range(350):
        litellm_writes(server, f"What is {n} squared?", json.dumps({"timestamp": 1755000000.5, "response": str(n * n)}), key="k")
    assert sosie("import", server.url, "--store", server.url).stdout == b"350 stored\n"
    exported = lines(sosie("export", "--store", server.url).stdout)
    assert {(entry["prompt"], entry["response"]) for entry in exported} == {(f"What is {n} squared?", str(n * n)) for n in range(350)}


def test_a_server_with_a_password_or_none_at_all(sosie, redis_server, tmp_path):
    server = redis_server("--requirepass", "se/cret", search=False)
    subprocess.run([server.home / "bin/redis-cli", "-p", str(server.port), "-a", "se/cret", "HSET", f"{INDEX}:1", "prompt", "p", "response", "r"], check=True, capture_output=True)
    refused = sosie("import", server.url, "--data", tmp_path / "a", code=2)
    assert b"cret" not in refused.stderr
    assert sosie("import", server.url, "--data", tmp_path / "a", env={"REDIS_PASSWORD": "se/cret"}).stdout == b"1 stored\n"
    assert sosie("import", server.url.replace("//", "//:se%2Fcret@"), "--data", tmp_path / "a").stdout == b"1 stored\n"
    server.kill()
    said = sosie("import", server.url.replace("//", "//:se%2Fcret@"), "--data", tmp_path / "a", code=2).stderr
    assert b"cret" not in said and said.startswith(b"sosie: ")
    sosie("import", "redis://[", "--data", tmp_path / "a", code=2)
    sosie("import", server.url, "--index", ":", "--data", tmp_path / "a", code=2)


WRITE_AS_LITELLM = """
import sys
import litellm
from litellm.caching.redis_semantic_cache import RedisSemanticCache
litellm.embedding = lambda *a, **k: {"data": [{"embedding": [1.0, 0.0, 0.0, 0.0]}]}
cache = RedisSemanticCache(redis_url=sys.argv[1], similarity_threshold=0.9, embedding_model="text-embedding-ada-002")
cache.set_cache("key", {"timestamp": 1755000000.5, "response": '{"content":"it\\'s \\u00e9"}'}, messages=[{"role": "user", "content": "How do I reset my password?"}], ttl=600)
cache.set_cache("key", {"timestamp": 1755000001.5, "response": {"id": "msg_1"}}, messages=[{"role": "user", "content": "anthropic"}])
from redisvl.extensions.cache.llm import SemanticCache
from redisvl.utils.vectorize import CustomTextVectorizer
own = SemanticCache(name="own", redis_url=sys.argv[1], vectorizer=CustomTextVectorizer(lambda text, **k: [1.0, 0.0, 0.0, 0.0]), filterable_fields=[{"name": "user", "type": "tag"}])
own.store("What is the capital of France?", "Paris", metadata={"m": 1}, filters={"user": "abc"})
"""


def test_entries_that_litellm_and_redisvl_wrote_themselves(sosie, redis_server, tmp_path):
    pytest.importorskip("redisvl", reason="needs redisvl and litellm")
    pytest.importorskip("litellm", reason="needs redisvl and litellm")
    server = redis_server()
    done = subprocess.run([sys.executable, "-c", WRITE_AS_LITELLM, server.url], capture_output=True, text=True, timeout=120, env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert sosie("import", server.url, "--data", tmp_path / "a").stdout == b"2 stored\n"
    assert sosie("import", server.url, "--index", "own", "--data", tmp_path / "a").stdout == b"1 stored\n"
    assert sosie("get", PARAPHRASE, "--scope", "key", "--data", tmp_path / "a").stdout.decode() == '{"content":"it\'s \u00e9"}\n'
    found = {entry["prompt"]: entry for entry in lines(sosie("export", "--data", tmp_path / "a").stdout)}
    assert found["anthropic"]["response"] == '{"id":"msg_1"}'
    assert found["What is the capital of France?"]["attributes"] == {"user": "abc"} and found["What is the capital of France?"]["response"] == "Paris"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[QUESTION]["expires"])
