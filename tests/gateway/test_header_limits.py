"""Headers in pieces: their limits hold however they arrive, from callers and from upstreams."""

import json
import socket

import pytest
from apis import CHAT


def answer_to_pieces(gateway, begin, piece, count):
    """What the gateway says to a request that arrives piece by piece, and of which it never sees the end."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(begin)
        try:
            for _ in range(count):
                connection.sendall(piece)
        except OSError:
            pass  # It has heard enough.
        return connection.recv(4096)


CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "begin,piece,count",
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\na:", b"b\r\na:", 300),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"x: " + b"y" * 995 + b"\r\n", 20),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: ", b"y" * 997, 20),
        (CHUNKED + b"0\r\n", b"a: b\r\n", 4_000),
        (CHUNKED + b"0\r\n", b"x: " + b"y" * 995 + b"\r\n", 40),
        (CHUNKED + b"1;", b"x" * 997, 40),
        (CHUNKED, b"1;" + b"x" * 990 + b"\r\ny\r\n", 20),
    ],
    ids=["lines", "long lines", "one line", "trailer lines", "a long trailer", "a chunk's line", "chunk extensions"],
)
def test_a_request(shared, begin, piece, count):
    gateway, _ = shared
    assert answer_to_pieces(gateway, begin, piece, count).startswith(b"HTTP/1.1 431 ")
    assert gateway.request("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"a: b\r\n" * 20_000 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx: " + b"y" * 70_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["lines", "one line", "interim answers"],
)
def test_an_answer(shared, key, head):
    gateway, stub = shared
    for path, ask in {"/v1/files": lambda: gateway.request("GET", "/v1/files"), CHAT.path: lambda: gateway.call(CHAT, "x", key)}.items():
        stub.raw[path] = head
        try:
            status, _, body = ask()
        finally:
            del stub.raw[path]
        assert ask()[0] == 200  # Else the upstream would soon be left alone.
        assert status == 502 and json.loads(body)["error"]["code"] == "upstream_too_large"
