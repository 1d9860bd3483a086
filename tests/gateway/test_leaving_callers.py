"""Callers that leave while their request is at work: their place, their call and their work are free for others."""

import json
import socket
import struct

import pytest
from callers import wait_for

FILES = b"GET /v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def hanging(upstream):
    upstream.hang_at = "/v1/files"
    return upstream


@pytest.fixture
def few(start_gateway, hanging, tmp_path):
    """A gateway with 20 connections before an upstream that hangs."""
    file = tmp_path / "sosie.toml"
    file.write_text("[server]\nmax_connections = 20\n")
    return start_gateway(hanging.url, "--config", file)


def leave(caller, how):
    if how == "reset":
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("request_bytes", [FILES, FILES.replace(b"1.1", b"1.0"), FILES + FILES], ids=["1.1", "1.0", "pipelined"])
def test_who_leaves_a_hanging_upstream_holds_nothing(few, hanging, how, request_bytes):
    for _ in range(3):
        callers = [socket.create_connection(("127.0.0.1", few.port)) for _ in range(19)]
        for caller in callers:
            caller.sendall(request_bytes)
        wait_for(lambda: hanging.open == 19, 20)
        assert few.request("GET", "/healthz")[0] == 200
        for caller in callers:
            leave(caller, how)
        wait_for(lambda: hanging.open == 0, 20)
        wait_for(lambda: few.metric("sosie_connections") == 1, 20)
    text = few.request("GET", "/metrics")[2].decode()
    assert 'sosie_requests_total{route="forward",status="499"} 57' in text


def test_who_only_ends_its_sending_half_is_answered(few, hanging):
    with socket.create_connection(("127.0.0.1", few.port), timeout=30) as caller:
        caller.sendall(FILES)
        caller.shutdown(socket.SHUT_WR)
        stream = caller.makefile("rb")
        assert stream.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        hanging.release.set()
        answer = stream.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"GET /v1/files HTTP/1.1\"}")


def test_idle_connections_give_way(few):
    callers = [socket.create_connection(("127.0.0.1", few.port), timeout=30) for _ in range(20)]
    wait_for(lambda: few.request("GET", "/healthz")[0] == 200, 20)
    for _ in range(40):
        assert few.request("GET", "/healthz")[0] == 200
    for caller in callers:
        caller.close()


def test_embeddings_that_nobody_waits_for_are_not_made(start_gateway):
    gateway = start_gateway()
    body = json.dumps({"model": "any", "input": ["long text number " * 60 + str(i) for i in range(2048)]}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nAuthorization: Bearer {{}}\r\n\r\n"
    callers = []
    for i in range(8):  # Minutes of work.
        callers.append(socket.create_connection(("127.0.0.1", gateway.port)))
        callers[-1].sendall(head.format(i).encode() + body)
    wait_for(lambda: gateway.metric("sosie_in_flight") == 9, 60)
    for caller in callers:
        caller.close()
    wait_for(lambda: gateway.metric("sosie_in_flight") == 1, 60)
    assert 'sosie_requests_total{route="embeddings",status="499"} 8' in gateway.request("GET", "/metrics")[2].decode()


def test_large_embeddings_of_one_tenant_leave_room(start_gateway):
    gateway = start_gateway()
    large = json.dumps({"model": "any", "input": ["long text number " * 60 + str(i) for i in range(2048)]}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(large)}\r\nAuthorization: Bearer greedy\r\n\r\n".encode()
    callers = [socket.create_connection(("127.0.0.1", gateway.port), timeout=60) for _ in range(5)]
    for caller in callers[:4]:
        caller.sendall(head + large)
    wait_for(lambda: gateway.metric("sosie_in_flight") == 5, 60)

    def embed(key, texts):
        return gateway.request("POST", "/v1/embeddings", {"model": "any", "input": texts}, {"Authorization": f"Bearer {key}"}, timeout=60)

    callers[4].sendall(head + large)
    assert callers[4].recv(12) == b"HTTP/1.1 429"
    assert embed("greedy", ["short"])[0] == 200
    status, _, body = embed("other", [f"text {i}" for i in range(40)])
    assert status == 200 and len(json.loads(body)["data"]) == 40
    assert gateway.request("GET", "/readyz")[0] == 200
    for caller in callers:
        caller.close()
