"""Callers of the gateway that a plain client cannot be."""

import contextlib
import json
import socket
import threading
import time

QUESTION = "How do I reset my password?"


def resident(gateway):
    """The memory of the gateway's process, in MB."""
    with open(f"/proc/{gateway.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


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


def wait_for_head(caller):
    """(the head of a chunked answer, as soon as it is there; a function that waits for the body)."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += caller.recv(1 << 16)
    head, begun = seen.split(b"\r\n\r\n", 1)

    def rest():
        raw, body = begun, b""
        while not raw.endswith(b"\r\n0\r\n\r\n"):
            piece = caller.recv(1 << 16)
            assert piece, "the answer broke off"
            raw += piece
        while raw:
            size, raw = raw.split(b"\r\n", 1)
            body += raw[: int(size, 16)]
            raw = raw[int(size, 16) + 2 :]
        return body

    return head.decode("latin-1") + "\r\n", rest


def wait_for(condition, seconds=5):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not come"
        time.sleep(0.01)
