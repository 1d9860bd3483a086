"""Request bodies in a Content-Encoding: read within the limits, and forwarded as they were read."""

import gzip
import json
import struct
import zlib

import pytest
from apis import ALL, CHAT, EMBEDDINGS
from callers import QUESTION


def zstd(data):
    """A frame of raw blocks: valid, and made without a compressor."""
    head = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
    pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
    blocks = [struct.pack("<I", len(piece) << 3 | (i == len(pieces) - 1))[:3] + piece for i, piece in enumerate(pieces)]
    return head + b"".join(blocks)


def zstd_bomb(size):
    """A frame of blocks that repeat one byte: 4 bytes for 128 KiB."""
    count = size // (128 << 10)
    blocks = [struct.pack("<I", (128 << 10) << 3 | 2 | (i == count - 1))[:3] + b"x" for i in range(count)]
    return struct.pack("<IBI", 0xFD2FB528, 0xA0, count * (128 << 10)) + b"".join(blocks)


CODINGS = {"gzip": gzip.compress, "GZip": gzip.compress, "zstd": zstd, "identity": bytes}


def post(gateway, api, body, coding, key=None):
    headers = {"Content-Type": "application/json", **api.headers(key), "Content-Encoding": coding}
    return gateway.request("POST", api.path, body, headers)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_coded_body_is_read_and_forwarded_plain(shared, key, api, coding):
    gateway, stub = shared
    body = json.dumps(api.ask(QUESTION)).encode()
    before = stub.count()
    status, headers, answer = post(gateway, api, CODINGS[coding](body), coding, key)
    assert status == 200, answer
    call = stub.calls[-1]
    assert json.loads(call["body"]) == api.ask(QUESTION)
    assert call["headers"]["content-length"] == str(len(call["body"])) and "content-encoding" not in call["headers"]
    # It is the same question without the coding.
    status, headers, _ = gateway.call(api, QUESTION, key)
    assert status == 200 and headers["x-sosie-cache"] == "hit" and stub.count() == before + 1


def test_other_codings_are_named(shared, key):
    gateway, stub = shared
    before = stub.count()
    for coding, body in {"br": b"x", "deflate": zlib.compress(b"{}"), "gzip, gzip": b"x"}.items():
        status, headers, answer = post(gateway, CHAT, body, coding, key)
        assert status == 415 and coding in json.loads(answer)["error"]["message"] and headers["accept-encoding"] == "gzip, zstd"
    assert stub.count() == before


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_is_no_such_body_is_400(shared, key, coding):
    gateway, stub = shared
    whole = CODINGS[coding](json.dumps(CHAT.ask(QUESTION)).encode())
    for body in (b"", b"{}", whole[:-1], whole[: len(whole) // 2], whole + b"x"):
        status, _, answer = post(gateway, CHAT, body, coding, key)
        assert status == 400 and coding in json.loads(answer)["error"]["message"], body


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_is_413(shared, key, coding):
    gateway, stub = shared
    size = 1 << 30
    bomb = zstd_bomb(size) if coding == "zstd" else gzip_bomb(size)
    with open(f"/proc/{gateway.process.pid}/status") as file:
        before = peak_of(file.read())
    status, _, answer = post(gateway, CHAT, bomb, coding, key)
    assert status == 413 and "larger" in json.loads(answer)["error"]["message"]
    with open(f"/proc/{gateway.process.pid}/status") as file:
        assert peak_of(file.read()) - before < 200 << 20


def gzip_bomb(size):
    packer = zlib.compressobj(9, wbits=31)
    block = b"x" * (16 << 20)
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


def peak_of(status):
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def test_the_local_routes_read_them_too(start_gateway):
    gateway = start_gateway()
    body = json.dumps({"model": "any", "input": "x"}).encode()
    assert post(gateway, EMBEDDINGS, gzip.compress(body), "gzip")[0] == 200
    entry = json.dumps({"prompt": QUESTION, "response": "An answer."}).encode()
    head = {"Content-Type": "application/json", "Content-Encoding": "zstd"}
    assert gateway.request("POST", "/v1/caches/c/entries", zstd(entry), head)[0] == 201
    search = json.dumps({"prompt": QUESTION}).encode()
    found = gateway.request("POST", "/v1/caches/c/entries/search", gzip.compress(search), {**head, "Content-Encoding": "gzip"})
    assert found[0] == 200 and json.loads(found[2])["data"][0]["response"] == "An answer."


def test_what_is_passed_through_stays_as_it_is(gateway, upstream):
    body = gzip.compress(b'{"model": "m"}')
    assert gateway.request("POST", "/v1/moderations", body, {"Content-Encoding": "gzip"})[0] == 200
    call = upstream.calls[-1]
    assert call["body"] == body and call["headers"]["content-encoding"] == "gzip"
