"""Hostile and mistaken requests: a clear refusal, and the process lives."""

import json
import socket
import time

import pytest


@pytest.fixture
def alive(gateway):
    yield gateway
    assert gateway.request("GET", "/healthz")[0] == 200
    assert gateway.ask("Are you there?")[0] == 200


def raw(gateway, data, timeout=20):
    """Everything the server says until it closes, or until an answer is complete."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass
        said = b""
        try:
            while piece := connection.recv(65536):
                said += piece
                if b"\r\n\r\n" in said and b"Content-Length" in said:
                    head, body = said.split(b"\r\n\r\n", 1)
                    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                    if len(body) >= length:
                        break
        except OSError:
            pass
        return said


USER = '[{"role":"user","content":"x"}]'

BAD_BODIES = {
    "empty": b"",
    "malformed": b'{"model":"m","messages":[',
    "not an object": b"[]",
    "messages a string": b'{"model":"m","messages":"x"}',
    "messages empty": b'{"model":"m","messages":[]}',
    "message not an object": b'{"model":"m","messages":["x"]}',
    "role missing": b'{"model":"m","messages":[{"content":"x"}]}',
    "content a number": b'{"model":"m","messages":[{"role":"user","content":5}]}',
    "content part without type": b'{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}',
    "text a number": b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1}]}]}',
    "model missing": f'{{"messages":{USER}}}'.encode(),
    "model a number": f'{{"model":1,"messages":{USER}}}'.encode(),
    "stream a word": f'{{"model":"m","stream":"yes","messages":{USER}}}'.encode(),
    "stream options a word": f'{{"model":"m","stream_options":"x","messages":{USER}}}'.encode(),
    "repeated key": f'{{"model":"m","model":"n","messages":{USER}}}'.encode(),
    "repeated content": b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}',
    "invalid UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "lone surrogate": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "deep": b'{"model":"m","messages":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "deep objects": b'{"model":"m","x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b',"messages":[{"role":"user","content":"x"}]}',
    "trailing": f'{{"model":"m","messages":{USER}}} x'.encode(),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_chat_bodies(start_gateway, tmp_path, alive, upstream, name):
    """They are refused where there is no upstream; else it is the one to refuse them, but for what readers take in different ways."""
    status, _, body = start_gateway(data=tmp_path / "alone").request("POST", "/v1/chat/completions", BAD_BODIES[name])
    error = json.loads(body)["error"]
    assert status == 400 and error["type"] == "invalid_request_error" and set(error) == {"message", "type", "param", "code"}
    upstream.raw["/v1/chat/completions"] = b"HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\nno"
    for _ in range(2):
        status, headers, body = alive.request("POST", "/v1/chat/completions", BAD_BODIES[name])
        if name.startswith("repeated"):
            assert status == 400 and json.loads(body)["error"]["type"] == "invalid_request_error"
        else:
            assert (status, body, headers["x-sosie-reason"]) == (400, b"no", "unreadable_request")
    del upstream.raw["/v1/chat/completions"]
    assert [call["body"] for call in upstream.calls] == ([] if name.startswith("repeated") else [BAD_BODIES[name]] * 2)


def test_a_huge_body_is_refused_without_being_read(alive, upstream):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n"
    begin = time.monotonic()
    said = raw(alive, head)
    assert said.startswith(b"HTTP/1.1 413") and time.monotonic() - begin < 5
    said = raw(alive, head + b"x" * 1_000_000)
    assert said.startswith(b"HTTP/1.1 413")
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["type"] == "invalid_request_error"


def test_a_huge_chunked_body_is_refused(alive):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(alive, head + (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 40).startswith(b"HTTP/1.1 413")
    assert raw(alive, head + b"fffffffffffffff\r\n").startswith(b"HTTP/1.1 413")


def test_a_client_that_wants_to_be_asked_first(alive):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    with socket.create_connection(("127.0.0.1", alive.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data,status",
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost:80@evil.example\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    ],
)
def test_bad_http(alive, data, status):
    said = raw(alive, data)
    assert said.split(b" ")[1] == status, said[:200]


def test_pipelined_requests_are_answered_in_order(alive):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    two = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", alive.port), timeout=10) as connection:
        connection.sendall(one * 3 + two)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    assert [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"200", b"404"]


def test_a_request_in_single_bytes(alive):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "ä"}]}).encode()
    data = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", alive.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            connection.sendall(bytes([byte]))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_client_of_http_1_0_gets_a_stream_without_chunks(alive):
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello you"}]}).encode()
    with socket.create_connection(("127.0.0.1", alive.port), timeout=20) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    head, events = said.split(b"\r\n\r\n", 1)
    assert b"chunked" not in head and events.startswith(b"data: {") and events.endswith(b"data: [DONE]\n\n")


def test_methods_and_paths(alive):
    status, headers, body = alive.request("GET", "/v1/chat/completions")
    assert status == 405 and headers["allow"] == "POST" and "error" in json.loads(body)
    assert alive.request("POST", "/healthz")[0] == 405
    assert alive.request("GET", "/nothing")[0] == 404
    status, headers, body = alive.request("HEAD", "/healthz")
    assert status == 200 and body == b"" and int(headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime?model=m", "/v1/chat/completions"])
def test_who_wants_websockets_is_told_to_go_on_without(alive, upstream, path):
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    status, headers, body = alive.request("GET", path, headers=handshake)
    assert status == 426 and "HTTP/1.1" in headers["upgrade"] and "error" in json.loads(body) and upstream.calls == []
    assert alive.ask("May I?", {"Connection": "Upgrade", "Upgrade": "h2c"})[0] == 200  # Nobody must upgrade.


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/healthz", "/healthz/", "/v1/models", "/v1/models/"])
def test_whoever_looks_whether_anybody_is_there_finds_somebody(alive, path):
    status, headers, body = alive.request("HEAD", path)
    assert 200 <= status < 300 and body == b""
    status, headers, body = alive.request("GET", path)
    assert status == 200 and json.loads(body)


def test_head_is_as_get_without_a_body(alive):
    """Also where GET is not taken: RFC 9110."""
    for method in ("GET", "HEAD"):
        status, headers, _ = alive.request(method, "/v1/messages")
        assert (status, headers["allow"]) == (405, "POST")


def test_more_connections_than_are_served_at_once(alive):
    connections = [socket.create_connection(("127.0.0.1", alive.port)) for _ in range(500)]
    assert alive.request("GET", "/healthz")[0] == 200
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("headers", [{"Host": "rebound.example:8080"}, {"Origin": "https://page.example"}, {"Origin": "null"}])
def test_pages_of_other_sites_are_refused(alive, upstream, headers):
    status, _, body = alive.ask("May I?", headers)
    assert status == 403 and json.loads(body)["error"]["code"] == "cross_site"
    status, _, body = alive.request("POST", "/v1/caches/c/flush", headers=headers)
    assert status == 403 and json.loads(body)["type"] == "/errors/insufficient-permissions"
    assert alive.request("GET", "/metrics", headers=headers)[0] == 403
    assert upstream.calls == []


def test_the_servers_own_pages_are_served(alive):
    own = {"Host": f"localhost:{alive.port}", "Origin": f"http://localhost:{alive.port}"}
    assert alive.ask("May I?", own)[0] == 200
