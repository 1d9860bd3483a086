"""The server that the other tests here stand on: what it is, and that it goes away and comes back as they need it."""

import socket

import pytest


def test_is_redis_7_4_with_search(redis_server):
    server = redis_server()
    assert "redis_version:7.4" in server.cli("INFO", "server")
    assert server.cli("FT.CREATE", "i", "SCHEMA", "v", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", "3", "DISTANCE_METRIC", "COSINE") == "OK"
    assert "unknown command" in redis_server(search=False).cli("FT._LIST")


def test_keeps_nothing_and_comes_back_on_its_port(redis_server):
    server = redis_server()
    server.cli("SET", "k", "v")
    server.restart()
    assert server.cli("EXISTS", "k") == "0"
    server.kill()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)
    server.start()
    assert server.cli("PING") == "PONG"


def test_accepts_but_does_not_answer(redis_server):
    server = redis_server()
    server.stop_answering()
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.2) as line, pytest.raises(TimeoutError):
        line.sendall(b"PING\r\n")
        line.recv(64)
    server.answer_again()
    assert server.cli("PING") == "PONG"
