"""The stub's sockets: plain, so that every byte is ours."""

import gzip
import itertools
import json
import random
import re
import select
import socket
import threading
import time

from . import chat, messages, responses
from .said import event, last_user_text, to_say

# Path: (whole answer, events of a stream, error event).
APIS = {
    "/v1/chat/completions": (chat.whole_chat, chat.chat_events, chat.error_event),
    "/v1/completions": (chat.whole_completion, chat.completion_events, chat.error_event),
    "/v1/responses": (responses.whole_response, responses.response_events, responses.error_event),
    "/v1/messages": (messages.whole_message, messages.message_events, messages.error_event),
    "/v1/embeddings": (chat.embeddings, None, None),
}
MEGABYTE = 1 << 20


class Reader:
    """Requests off a connection, whole, with their bytes as they came."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, b""

    def more(self):
        piece = self.connection.recv(1 << 16)
        if not piece:
            raise EOFError
        self.buffer += piece

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken

    def exactly(self, size):
        while len(self.buffer) < size:
            self.more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def request(self):
        head = self.until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        if re.search(rb"^expect: *100-continue", head, re.I | re.M):
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                body += self.exactly(size)
                self.exactly(2)
            while self.until(b"\r\n"):
                pass
        else:
            body = self.exactly(int(headers.get("content-length", 0)))
        return {"line": lines[0], "path": lines[0].split(" ")[1].split("?")[0], "headers": headers, "head": head, "body": body, "answer": bytearray()}


class StubUpstream:
    """`mode` says how the next calls are answered, unless `modes` holds some for the very next; `calls` keeps what was asked, and the
    bytes it was answered with. `text`: of all answers; None: "answer to QUESTION for KEY #n", another one for each call."""

    def __init__(self, tls=None, keep_answers=True):
        """`tls`: an ssl.SSLContext, for https."""
        self.tls = tls
        self.keep_answers = keep_answers
        self.mode, self.modes = "ok", []
        self.text = "An answer."
        self.calls = []
        self.raw = {}  # Path: the bytes to answer with, head and all.
        self.huge = 1 << 30  # Bytes of a huge answer.
        self.sent = 0  # Of it, so far.
        self.pace = 0.2
        self.delay = 0.0  # Before every answer.
        self.refuses = None  # A field of requests that it does not know.
        self.faults, self.fault_rate = [], 0.0  # Modes that now and then take the place of `mode`.
        self.release = threading.Event()  # For the modes that wait.
        self.hold_for = None  # A word: the streams of questions that have it stall, until `release`.
        self.hang_at = None  # A path: calls of it wait for `release`, or until the gateway has left.
        self._open = set()
        self._numbers = itertools.count(1)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def open(self):
        """How many connections are."""
        return len(self._open)

    def count(self, path=None):
        return sum(path is None or call["path"] == path for call in self.calls)

    def close(self):
        self.release.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # Else `accept` goes on listening.
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self._open.add(threading.get_ident())
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = Reader(connection)
            while True:
                call = reader.request()
                self.calls.append(call)
                if not Answering(self, connection, call).answer():
                    return
        except (OSError, EOFError):
            pass
        finally:
            self._open.discard(threading.get_ident())
            connection.close()

    def _next_mode(self):
        try:
            return self.modes.pop(0)
        except IndexError:
            return random.choice(self.faults) if self.fault_rate and random.random() < self.fault_rate else self.mode

    def _text(self, key, asked):
        return self.text if self.text is not None else f"answer to {last_user_text(asked)} for {key} #{next(self._numbers)}"


def key_of(headers):
    return headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key") or headers.get("api-key") or "nobody"



class Answering:
    """One answer to one call."""

    def __init__(self, stub, connection, call):
        self.stub, self.connection, self.call = stub, connection, call

    def send(self, data):
        if self.stub.keep_answers:
            self.call["answer"] += data
        self.connection.sendall(data)

    def head(self, status, kind, *more):
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", "x-request-id: req-1", *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def json(self, status, value, *more):
        data = json.dumps(value).encode()
        self.send(self.head(status, "application/json", f"Content-Length: {len(data)}", *more) + data)
        return True

    def piece(self, data):
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def last_piece(self):
        self.send(b"0\r\n\r\n")
        return True

    def answer(self):
        """Whether the connection can be used again."""
        stub, call = self.stub, self.call
        if call["path"] == stub.hang_at and not self.hang():
            return False
        said = stub.raw.get(call["path"])
        if said is not None:
            self.send(said)
            return b"\r\nConnection: close\r\n" not in said
        if call["path"] not in APIS:
            return self.json(200, {"object": "list", "data": [{"id": "stub-model", "object": "model"}], "line": call["line"]})
        asked = json.loads(call["body"]) if call["body"] else {}
        if stub.refuses in asked:
            return self.json(400, self.error_of(f"Unrecognized request argument supplied: {stub.refuses}", "invalid_request_error", "invalid_request_error"))
        held = stub.hold_for is not None and stub.hold_for in last_user_text(asked)
        mode = "stall" if held else stub._next_mode()
        if mode == "hang":
            stub.release.wait(30)
            return False
        if mode == "drop":
            return False
        if mode == "wait":
            stub.release.wait(30)
        if mode == "slow" or stub.delay:
            time.sleep(stub.delay or 1.0)
        if mode in ("500", "503", "529", "401"):
            return self.json(int(mode), self.error_of("stub broke", "server_error", "api_error"))
        if mode == "429":
            return self.json(429, self.error_of("slow down", "rate_limit_error", "rate_limit_error", "rate_limited"), "retry-after: 7")
        if mode == "garbage":
            self.send(b"this is not HTTP\r\n\r\n")
            return False
        if mode == "one_choice":
            asked = {**asked, "n": 1}
        whole, events, self.error_event = APIS[call["path"]]
        key = key_of(call["headers"])
        said = to_say(mode, stub._text(key, asked), asked, key)
        if mode.startswith("huge"):
            return self.send_huge(mode, said)
        if asked.get("stream") is True and events:
            return self.stream(mode, events(said, asked))
        return self.plain(mode, whole(said, asked))

    def hang(self):
        """Whether the gateway is still there at `release`."""
        while not self.stub.release.is_set():
            if select.select([self.connection], [], [], 0.05)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                return False
        return True

    def error_of(self, message, kind, anthropics_kind, code=None):
        return messages.error(message, anthropics_kind) if self.call["path"] == "/v1/messages" else chat.error(message, kind, code)

    def plain(self, mode, value):
        data = json.dumps(value).encode()
        right = f"Content-Length: {len(data)}"
        if mode in ("half", "hang_body"):
            self.send(self.head(200, "application/json", right) + data[: len(data) // 2])
            if mode == "hang_body":
                self.stub.release.wait(30)
            return False
        if mode == "short_length":  # The rest belongs to no answer.
            self.send(self.head(200, "application/json", f"Content-Length: {len(data) - 20}") + data)
            return False
        if mode == "half_json":
            self.send(self.head(200, "application/json", f"Content-Length: {len(data) - 20}") + data[:-20])
            return True
        if mode == "half_chunk":
            self.send(self.head(200, "application/json", "Transfer-Encoding: chunked") + b"%x\r\n" % len(data) + data[: len(data) // 2])
            return False
        if mode == "error_in_200":
            return self.json(200, {"error": {"message": "odd"}})
        if mode == "encoded":
            return self.json(200, value, "Content-Encoding: gzip")
        if mode == "gzip":
            data = gzip.compress(data)
            self.send(self.head(200, "application/json", "Content-Encoding: gzip", f"Content-Length: {len(data)}") + data)
            return True
        if mode == "trailers":
            self.send(self.head(200, "application/json", "Transfer-Encoding: chunked", "Trailer: x-checksum"))
            for part in (data[:10], data[10:]):
                self.piece(part)
            self.send(b"0\r\nx-checksum: abc\r\n\r\n")
            return True
        if mode == "until_close":
            self.send(self.head(200, "application/json", "Connection: close") + data)
            return False
        if mode == "slow_bytes":
            self.send(self.head(200, "application/json", right))
            for i in range(0, len(data), 50):
                self.send(data[i : i + 50])
                time.sleep(0.02)
            return True
        self.send(self.head(200, "application/json", right) + data)
        return True

    def stream(self, mode, events):
        if mode == "error_in_200":
            return self.json(200, {"error": {"message": "odd"}})
        trailer = ["Trailer: x-checksum"] if mode == "trailers" else []
        self.send(self.head(200, "text/event-stream", "Transfer-Encoding: chunked", *trailer))
        if mode == "bad_sse":
            self.piece(b"data: {not json\n\n" + events[-1][1])
            return self.last_piece()
        if mode == "gzip":
            mode = "ok"  # Servers compress no streams.
        texts = [i for i, (kind, _) in enumerate(events) if kind == "text"] or [0]
        middle = texts[len(texts) // 2]
        for i, (kind, data) in enumerate(events):
            if i == middle and mode in ("cut", "half", "half_chunk"):
                self.send(b"40\r\n" + data[:20])  # In the middle of an event, of a chunk.
                return False
            if i == middle and mode in ("cut_clean", "half_json"):
                return self.last_piece()  # Ends well as HTTP, but nothing is finished.
            if i == middle and mode == "error_event":
                self.piece(self.error_event("stub overloaded"))
                return self.last_piece()
            if mode in ("stall", "hang_body") and len(texts) > 1 and i == texts[1]:
                self.stub.release.wait(30)
            if mode == "no_finish" and kind == "finish":
                continue
            if mode == "no_done" and kind in ("usage", "end"):
                continue
            if mode == "unclosed_done" and kind == "end":
                data = data.rstrip(b"\n")
            if mode == "slow_bytes":
                for k in range(0, len(data), 7):
                    self.piece(data[k : k + 7])
                continue
            self.piece(data)
            if mode == "paced" and kind == "text":
                time.sleep(self.stub.pace)
        if mode == "trailers":
            self.send(b"0\r\nx-checksum: abc\r\n\r\n")
            return True
        return self.last_piece()

    def send_huge(self, mode, said):
        """An answer of `huge` bytes and more: "huge" with its length, "huge_chunked" without, "huge_stream" of events without end,
        "huge_event" of one that is not over yet."""
        size, piece = self.stub.huge, b"a" * MEGABYTE
        self.stub.sent = 0
        self.stub.keep_answers = False
        if mode == "huge_event":
            self.send(self.head(200, "text/event-stream", "Transfer-Encoding: chunked"))
            self.piece(b"data: " + piece[: size % MEGABYTE])
            for _ in range(size // MEGABYTE):
                self.piece(piece)
            self.stub.release.wait(30)
            return False
        if mode == "huge_stream":
            self.send(self.head(200, "text/event-stream", "Transfer-Encoding: chunked"))
            word = event(chat.chunk({"content": "a" * 1000}))
            while self.stub.sent < size:
                self.piece(word * 100)
                self.stub.sent += len(word) * 100
            return self.last_piece()
        begin, end = json.dumps(chat.completion("@")).encode().split(b"@")
        if mode == "huge":
            length = len(begin) + size // MEGABYTE * MEGABYTE + len(end)
            self.send(self.head(200, "application/json", f"Content-Length: {length}") + begin)
        else:
            self.send(self.head(200, "application/json", "Transfer-Encoding: chunked"))
            self.piece(begin)
        for _ in range(size // MEGABYTE):
            self.send(piece) if mode == "huge" else self.piece(piece)
            self.stub.sent += MEGABYTE
        if mode == "huge":
            self.send(end)
        else:
            self.piece(end)
            self.last_piece()
        return True
