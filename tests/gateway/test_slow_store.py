"""A store that hangs: its jobs are left behind by their deadline, and must not be missed by whatever ends before them."""

import socket
import sqlite3

SET = {"prompt": "How do I reset my password?", "response": "so"}


def wait_until_refused(port):
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return


def test_the_process_ends_cleanly_while_a_store_is_left_behind(start_gateway, tmp_path):
    gateway = start_gateway(data=tmp_path)
    assert gateway.request("POST", "/v1/caches/c/entries", SET)[0] == 201
    blocker = sqlite3.connect(tmp_path / "sosie.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        status, _, body = gateway.request("POST", "/v1/caches/c/entries", {**SET, "response": "changed"})
        assert status == 424 and b"/errors/" in body
        # Reading goes on meanwhile.
        assert gateway.request("POST", "/v1/caches/c/entries/search", {"prompt": SET["prompt"]})[0] == 200
        gateway.process.terminate()
        wait_until_refused(gateway.port)
    finally:
        blocker.close()
    assert gateway.process.wait(timeout=60) == 0
