"""Byte for byte: what the upstream gets is what the caller sent, what the caller gets is what the upstream said."""

import gzip
import json
import socket

import pytest
from apis import ALL, CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, STREAMING
from stub_upstream.server import APIS
from stub_upstream.said import Said

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "trailer", "te", "upgrade", "proxy-connection", "content-length"}
OURS = ("x-sosie-", "cache-status", "age", "x-litellm-")

ODD_BODIES = {
    CHAT: b'{ "messages" : [\t{"content":"h\\u00e4 \xc3\xa4 \\/ \\ud83d\\ude00", "role":"user"} ],\r\n "model":"m", "seed": 1.0,"x":1e2, "temperature":0.10 ,"y":{"b":1,"a":[ ]} }\n',
    COMPLETIONS: b'\n{"prompt":"Once \\u0075pon a time,  ",  "model":"m","max_tokens":1E1}',
    RESPONSES: b'{"input":[{"content":[{"text":"h\\u00e4","type":"input_text"}],"role":"user"}] , "model":"m", "metadata":{"z":"1","a":"2"}}   ',
    MESSAGES: b'{"max_tokens":\n10.0,"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"h\\u00e4\\n"}]}]}',
    EMBEDDINGS: b'{"input":[ "h\\u00e4" , "b" ],"model":"text-embedding-9","dimensions":256}',
}


def raw(gateway, data):
    """(head lines, body) of what comes back until the connection closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(data)
        said = b""
        while piece := connection.recv(1 << 16):
            said += piece
    head, body = said.split(b"\r\n\r\n", 1)
    return head.decode("latin-1").split("\r\n"), body


def unchunked(body):
    whole = b""
    while body:
        size, body = body.split(b"\r\n", 1)
        count = int(size.split(b";")[0], 16)
        if count == 0:
            return whole
        whole, body = whole + body[:count], body[count + 2 :]
    raise AssertionError("no last chunk")


def content(head, body):
    return unchunked(body) if any(line.lower() == "transfer-encoding: chunked" for line in head) else body


@pytest.fixture
def stub(shared):
    yield shared[1]
    shared[1].raw.clear()


def asked(method, path, body=b"", *lines, key=None):
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *lines]
    if key:
        head.append(f"Authorization: Bearer {key}")
    if body or method in ("POST", "PUT", "PATCH"):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def named(lines):
    """(name in lower case, value) of header lines, in their order."""
    return [(line.split(":", 1)[0].lower(), line.split(":", 1)[1].strip()) for line in lines]


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_body_reaches_the_upstream_as_it_was_sent(shared, stub, key, api):
    assert shared[0].request("POST", api.path, ODD_BODIES[api], api.headers(key))[0] == 200
    assert stub.calls[-1]["body"] == ODD_BODIES[api] and stub.calls[-1]["line"] == f"POST {api.path} HTTP/1.1"


@pytest.mark.parametrize("member", [b'"cache":{}', b'"cache" : {"no-store": true, "namespace":"a}"} ', b'"\\u0063ache":{"ttl":5}', b'"cache":null'])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_only_the_cache_member_is_taken_out(shared, stub, key, member, place):
    rest = [b' "messages" : [ {"role":"user","content":"h\\u00e4, \\"cache\\":{}"} ]', b'"model":"m"', b'\n"user" :"cache"']
    rest.insert({"first": 0, "middle": 1, "last": 3}[place], member)
    body = b"{" + b",".join(rest) + b"}"
    assert shared[0].request("POST", CHAT.path, body, CHAT.headers(key))[0] == 200
    got = stub.calls[-1]["body"]
    rest.remove(member)
    assert got == b"{" + b",".join(rest) + b"}" or b"".join(got.split()) == b"".join((b"{" + b",".join(rest) + b"}").split())
    for part in rest:
        assert part.strip() in got  # White space within is the caller's.


def test_headers_reach_the_upstream_in_their_order(gateway, upstream):
    sent = [
        "x-one: a", "X-Two: b c", "x-one:  d ", "Authorization: Bearer s", "OpenAI-Beta: x=y", "User-Agent: me/1", "X-ONE: e",
        "Content-Type: application/json; charset=utf-8",
    ]  # fmt: skip
    ours = [
        "x-sosie-threshold: 0.9", "x-sosie-namespace: n", "Cache-Control: max-age=5", "Cookie: c=1", "Accept-Encoding: gzip, br",
        "X-Hop: 1", "Keep-Alive: timeout=5", "TE: trailers", "Idempotency-Key: k",
    ]  # fmt: skip
    data = asked("POST", CHAT.path, ODD_BODIES[CHAT], *sent, *ours).replace(b"Connection: close", b"Connection: close, x-hop")
    head, _ = raw(gateway, data)
    assert head[0] == "HTTP/1.1 200 OK"
    added = {"host", "content-length", "accept-encoding", "connection"}
    got = named(upstream.calls[0]["head"].decode("latin-1").split("\r\n")[1:])
    assert [line for line in got if line[0] not in added] == named(sent)
    assert dict(got)["host"] == f"127.0.0.1:{upstream.port}" and "gzip" not in dict(got).get("accept-encoding", "")


def answer(status, body, *lines):
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}"]).encode("latin-1") + b"\r\n\r\n" + body


ANSWER_LINES = [
    "Content-Type: application/json; charset=UTF-8", "openai-processing-ms: 12", "X-RateLimit-Remaining: 5", "Set-Cookie: a=1; Path=/",
    "Set-Cookie: b=2", "x-request-id: up-1", "Keep-Alive: timeout=5", "Server: theirs", "Vary: Origin",
]  # fmt: skip


def less_ours(head):
    return [line for line in named(head[1:]) if line[0] not in HOP_BY_HOP and not line[0].startswith(OURS)]


def theirs(lines):
    return [line for line in named(lines) if line[0] not in HOP_BY_HOP]


def odd_json(api):
    whole = APIS[api.path][0](Said("An answer."), json.loads(ODD_BODIES[api]))
    return json.dumps({**whole, "zz": {"b": 1.50, "a": "\u00e4/"}}, indent="\t").replace("/", "\\/").encode() + b"\n"


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_miss_is_answered_as_the_upstream_did(shared, stub, key, api):
    gateway, body = shared[0], odd_json(api)
    stub.raw[api.path] = answer("200 Fine", body, *ANSWER_LINES)
    head, got = raw(gateway, asked("POST", api.path, ODD_BODIES[api], key=key))
    assert content(head, got) == body and head[0].startswith("HTTP/1.1 200")
    lines = [line for line in less_ours(head) if line[0] != "date"]
    assert sorted(lines) == sorted(theirs(ANSWER_LINES))
    assert [value for name, value in lines if name == "set-cookie"] == ["a=1; Path=/", "b=2"]
    assert ("x-sosie-cache", "miss") in named(head[1:])
    head, got = raw(gateway, asked("POST", api.path, ODD_BODIES[api], key=key))
    assert ("x-sosie-cache", "hit") in named(head[1:]) and not any(name in ("set-cookie", "x-request-id", "openai-processing-ms") for name, _ in named(head[1:]))


def odd_stream(api):
    """The events of a stream with everything that the format allows."""
    datas = [data for _, data in APIS[api.path][1](Said("one two three"), {"model": "m", "input": "x"})]
    datas[0] = b": a comment\n\n" + datas[0]
    datas[1] = datas[1].replace(b"\n", b"\r\n")
    datas[2] = b"id: 7\nretry: 100\n" + datas[2]
    return datas


@pytest.mark.parametrize("chunks", ["events", "bytes", "one"])
@pytest.mark.parametrize("api", STREAMING, ids=repr)
def test_a_stream_is_passed_on_byte_for_byte(shared, stub, key, api, chunks):
    gateway = shared[0]
    whole = b"".join(odd_stream(api))
    pieces = {"events": odd_stream(api), "bytes": [whole[i : i + 3] for i in range(0, len(whole), 3)], "one": [whole]}[chunks]
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\nx-request-id: up-1\r\n\r\n"
    stub.raw[api.path] = head.encode() + b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    body = json.dumps(json.loads(ODD_BODIES[api]) | {"stream": True}).encode()
    lines, got = raw(gateway, asked("POST", api.path, body, key=key))
    assert content(lines, got) == whole
    assert ("content-type", "text/event-stream; charset=utf-8") in named(lines[1:]) and ("x-request-id", "up-1") in named(lines[1:])
    assert dict(named(raw(gateway, asked("POST", api.path, body, key=key))[0][1:]))["x-sosie-cache"] == "hit"


def events_of_usage(api, asked_for):
    """What an upstream says of a text that reads like an empty usage, to who asks for the usage or does not."""
    fields = {"stream_options": {"include_usage": True}} if asked_for else {}
    return b"".join(data for _, data in APIS[api.path][1](Said('"usage":null {"usage": null, "a":"}'), {"model": "m", **fields}))


# A chunk that the gateway's asking for usage may bring, and what of it the caller gets who did not ask.
CHUNKS = {
    b'data: {"usage":null, "choices":[] }\n\n': b'data: { "choices":[] }\n\n',
    b'data:{"choices":[{"usage":null,"delta":{"usage":null,"content":"h\\u00e4, \\"usage\\":null"}}] , "usage" : null , "x":1.0}\r\n\r\n': b'data:{"choices":[{"usage":null,"delta":{"usage":null,"content":"h\\u00e4, \\"usage\\":null"}}]  , "x":1.0}\r\n\r\n',
    b': {"choices":[],"usage":null}\nid: {"choices":[],"usage":null}\ndata: {"choices":[],"usage":null}\nretry: 7\n\n': b': {"choices":[],"usage":null}\nid: {"choices":[],"usage":null}\ndata: {"choices":[]}\nretry: 7\n\n',
    b'data: {"choices":[],"\\u0075sage":null}\n\n': b'data: {"choices":[]}\n\n',
    b'data: {"choices":[],\ndata: "usage":null}\n\n': b'data: {"choices":[],\ndata: "usage":null}\n\n',  # Two lines: as it is.
    b'data: {"choices":[{"index":0,"finish_reason":"stop"}],"usage":{"total_tokens":3}}\n\n': b'data: {"choices":[{"index":0,"finish_reason":"stop"}],"usage":{"total_tokens":3}}\n\n',
}


@pytest.mark.parametrize("api", [CHAT, COMPLETIONS], ids=repr)
def test_who_did_not_ask_for_usage_gets_the_stream_of_who_did_not(shared, stub, key, api):
    said = b"".join(CHUNKS) + events_of_usage(api, True)
    stub.raw[api.path] = answer("200 OK", said, "Content-Type: text/event-stream")
    for number, (expected, fields, *lines) in enumerate(
        (
            (b"".join(CHUNKS.values()) + events_of_usage(api, False), {}),
            (said, {"stream_options": {"include_usage": True}}),
            (said, {}, "x-sosie-cache-control: no-cache, no-store"),  # The gateway did not ask: so the upstream says it to everybody.
        )
    ):
        body = json.dumps(json.loads(ODD_BODIES[api]) | {"stream": True, **fields}).encode()
        head, got = raw(shared[0], asked("POST", api.path, body, *lines, key=f"{key}-{number}"))
        assert content(head, got) == expected


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_what_is_encoded_stays_so(shared, stub, key, api):
    gateway, body = shared[0], gzip.compress(odd_json(api))
    stub.raw[api.path] = answer("200 OK", body, "Content-Type: application/json", "Content-Encoding: gzip")
    for _ in range(2):
        head, got = raw(gateway, asked("POST", api.path, ODD_BODIES[api], key=key))
        assert content(head, got) == body and ("content-encoding", "gzip") in named(head[1:])
        assert ("x-sosie-cache", "miss") in named(head[1:])


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "404 Gone", "409 No", "422 No", "429 Slow", "500 Broken", "503 Busy"])
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_errors_are_the_upstreams_own(shared, stub, key, api, status):
    body = b'{ "error": {"message":"so\\u0021", "odd" : true} }\n'
    stub.raw[api.path] = answer(status, body, "Content-Type: application/json", "Retry-After: 7", "x-should-retry: true")
    for fields in ({}, {"stream": True})[: 1 if api is EMBEDDINGS else 2]:
        sent = json.dumps(json.loads(ODD_BODIES[api]) | fields).encode()
        head, got = raw(shared[0], asked("POST", api.path, sent, key=key))
        assert head[0].split(" ")[1] == status.split(" ")[0] and content(head, got) == body
        assert ("retry-after", "7") in named(head[1:]) and ("x-should-retry", "true") in named(head[1:])
    del stub.raw[api.path]
    assert shared[0].call(api, "Once more", key)[0] == 200  # Too many failures in a row, and the upstream is left alone.


EVERY_BYTE = bytes(range(256)) * 5_000

PASSED = {
    "a download": ("GET", "/v1/files/f/content", answer("200 OK", EVERY_BYTE, "Content-Type: application/octet-stream", 'ETag: "1"', "Date: Mon, 01 Jan 2024 00:00:00 GMT"), EVERY_BYTE),
    "a compressed one": ("GET", "/v1/files/g/content", answer("200 OK", gzip.compress(b"x" * 9_999), "Content-Type: text/plain", "Content-Encoding: gzip"), gzip.compress(b"x" * 9_999)),
    "a part": ("GET", "/v1/files/h/content", answer("206 Partial", b"abc", "Content-Range: bytes 0-2/9"), b"abc"),
    "chunks": ("GET", "/v1/audio/x", b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x00\r\n\r\n1\r\n\xff\r\n0\r\n\r\n", b"\x00\r\n\xff"),
    "nothing": ("DELETE", "/v1/files/i", b"HTTP/1.1 204 No Content\r\nx-request-id: up-1\r\n\r\n", b""),
    "not modified": ("GET", "/v1/files/j", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n', b""),
    "a head": ("HEAD", "/v1/files/k", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1234\r\n\r\n", b""),
    "a put": ("PUT", "/v1/threads/t?a=%2F&b=%20", answer("201 Made", b"{}", "Content-Type: application/json", "Location: /v1/threads/t"), b"{}"),
    "a patch": ("PATCH", "/v1/threads/u", answer("200 OK", b"[1]", "Content-Type: application/json"), b"[1]"),
    "a list of responses' items": ("GET", "/v1/responses/resp_1/input_items", answer("200 OK", b'{"a" : 1}', "Content-Type: application/json"), b'{"a" : 1}'),
    "an error": ("POST", "/v1/images/generations", answer("418 Teapot", b"I am", "Content-Type: text/plain"), b"I am"),
    "a redirect": ("GET", "/v1/files/l", answer("302 Found", b"", "Location: https://elsewhere.example/x"), b""),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSED)
def test_everything_else_is_passed_through(shared, stub, name):
    gateway = shared[0]
    method, path, said, body = PASSED[name]
    stub.raw[path.split("?")[0]] = said
    sent = b"\x00\x01\r\n\r\n{\xff" * 1_000 if method in ("PUT", "PATCH", "POST") else b""
    head, got = raw(gateway, asked(method, path, sent, "Content-Type: application/x-odd", "x-a: 1", "X-A: 2", "Authorization: Bearer k", "Range: bytes=0-2", "Accept-Encoding: gzip"))
    assert stub.calls[-1]["line"] == f"{method} {path} HTTP/1.1" and stub.calls[-1]["body"] == sent
    got_lines = named(stub.calls[-1]["head"].decode("latin-1").split("\r\n")[1:])
    assert [line for line in got_lines if line[0] in ("x-a", "range", "content-type")] == [("content-type", "application/x-odd"), ("x-a", "1"), ("x-a", "2"), ("range", "bytes=0-2")]
    lines = said.split(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[0].split(" ")[1] == lines[0].split(" ")[1] and content(head, got) == body
    mine = {"date"} if not any(line.startswith("Date") for line in lines) else set()
    if not body and method != "HEAD":
        mine.add("content-type")
    assert [line for line in less_ours(head) if line[0] not in mine] == theirs(lines[1:])
    if method == "HEAD":
        assert ("content-length", "1234") in named(head[1:])


def test_an_upload_goes_through(shared, stub):
    gateway = shared[0]
    stub.raw["/v1/files"] = answer("200 OK", b"{}", "Content-Type: application/json")
    big = EVERY_BYTE * 10  # 12.8 MB
    head, _ = raw(gateway, asked("POST", "/v1/files", big, "Content-Type: multipart/form-data; boundary=x"))
    assert head[0].startswith("HTTP/1.1 200") and stub.calls[-1]["body"] == big
    chunked = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (big[:10], big[10:70_000], big[70_000:])) + b"0\r\n\r\n"
    head, _ = raw(gateway, chunked)
    assert head[0].startswith("HTTP/1.1 200") and stub.calls[-1]["body"] == big


@pytest.mark.parametrize("path", ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/files/..%2f..%2fadmin", "/v1/a\\..\\b"])
def test_no_path_leads_out_of_the_api(shared, path):
    gateway, stub = shared
    before = stub.count()
    head, _ = raw(gateway, asked("GET", path))
    assert head[0].split(" ")[1] in ("400", "404") and stub.count() == before
