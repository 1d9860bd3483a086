"""Callers of the gateway that a plain client cannot be."""

import contextlib
import json
import socket
import threading
import time

QUESTION = "How do I reset my password?"


def at_once(asks):
    """What each of the functions returned."""
    results = [None] * len(asks)

    def run(i):
        results[i] = asks[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(asks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@contextlib.contextmanager
def asking(gateway, api, key="ann", text=QUESTION, size=None, **fields):
    """A caller whose socket is ours."""
    body = json.dumps(api.ask(text, **fields)).encode()
    head = [f"POST {api.path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in api.headers(key).items()]
    with socket.socket() as caller:
        if size:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        caller.settimeout(30)
        caller.connect(("127.0.0.1", gateway.port))
        caller.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        yield caller


def wait_for(condition, seconds=5):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not come"
        time.sleep(0.01)
