"""An OpenAI-compatible upstream that counts its calls and can be told to misbehave. Plain sockets: every byte is ours."""

import json
import re
import socket
import threading
import time


def completion(text="An answer.", finish="stop", **message):
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "stub-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, **message}, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def chunk(delta, finish=None, index=0):
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "stub-model",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }


TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


class StubUpstream:
    """`mode` says how the next calls are answered; `calls` keeps what was asked."""

    def __init__(self, tls=None):
        """`tls`: an ssl.SSLContext, for https."""
        self.tls = tls
        self.mode = "ok"
        self.text = "An answer."
        self.calls = []
        self.release = threading.Event()  # for the modes that wait
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    def close(self):
        self.release.set()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while True:
                while b"\r\n\r\n" not in buffer:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    buffer += piece
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                length = int((re.search(rb"content-length: *(\d+)", head, re.I) or [0, b"0"])[1])
                while len(buffer) < length:
                    buffer += connection.recv(65536)
                body, buffer = buffer[:length], buffer[length:]
                lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
                self.calls.append({"line": lines[0], "headers": headers, "body": body})
                if not self._answer(connection, lines[0], body):
                    return
        except OSError:
            pass
        finally:
            connection.close()

    def _json(self, connection, status, value, extra=""):
        data = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\nx-request-id: req-1\r\n{extra}\r\n"
        connection.sendall(head.encode() + data)
        return True

    def _piece(self, connection, data):
        connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _event(self, connection, value):
        self._piece(connection, b"data: " + json.dumps(value).encode() + b"\n\n")

    def _answer(self, connection, line, body):
        mode = self.mode
        if "/chat/completions" not in line:
            return self._json(connection, 200, {"object": "list", "data": [{"id": "stub-model", "object": "model"}], "line": line})
        asked = json.loads(body) if body else {}
        streaming = asked.get("stream") is True
        if mode == "hang":
            self.release.wait(30)
            return False
        if mode == "drop":
            return False
        if mode == "wait":
            self.release.wait(30)
        if mode == "slow":
            time.sleep(1.0)
        if mode == "500":
            return self._json(connection, 500, {"error": {"message": "stub broke", "type": "server_error", "param": None, "code": None}})
        if mode == "429":
            limited = {"error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limited"}}
            return self._json(connection, 429, limited, "retry-after: 7\r\n")
        if mode == "garbage":
            connection.sendall(b"this is not HTTP\r\n\r\n")
            return False
        if streaming:
            return self._stream(connection, mode)
        if mode == "half":
            data = json.dumps(completion(self.text)).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data[: len(data) // 2])
            return False
        if mode == "half_json":
            data = json.dumps(completion(self.text)).encode()[:-20]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            return True
        if mode == "error_in_200":
            return self._json(connection, 200, {"error": {"message": "odd"}})
        if mode == "tools":
            return self._json(connection, 200, completion(None, "tool_calls", tool_calls=[TOOL_CALL]))
        if mode in ("length", "content_filter"):
            return self._json(connection, 200, completion(self.text, mode))
        if mode == "encoded":
            return self._json(connection, 200, completion(self.text), "Content-Encoding: gzip\r\n")
        whole = completion(self.text)
        whole["choices"] = [{**whole["choices"][0], "index": i} for i in range(asked.get("n", 1))]
        return self._json(connection, 200, whole)

    def _stream(self, connection, mode):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        if mode == "bad_sse":
            self._piece(connection, b"data: {not json\n\ndata: [DONE]\n\n")
            connection.sendall(b"0\r\n\r\n")
            return True
        self._event(connection, chunk({"role": "assistant", "content": ""}))
        if mode == "tools":
            call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
            self._event(connection, chunk({"tool_calls": [call]}))
            for part in ('{"city"', ': "Oslo"}'):
                self._event(connection, chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}))
            self._event(connection, chunk({}, "tool_calls"))
        else:
            words = self.text.split(" ")
            for i, word in enumerate(words):
                if i == len(words) // 2 and mode == "cut":
                    connection.sendall(b"40\r\ndata: {\"id\":\"chat")  # in the middle of an event, of a chunk
                    return False
                if i == len(words) // 2 and mode == "cut_clean":
                    connection.sendall(b"0\r\n\r\n")  # ends well as HTTP, but no [DONE]
                    return True
                if mode == "stall" and i == 1:
                    self.release.wait(30)
                self._event(connection, chunk({"content": word if i == 0 else " " + word}))
                if mode == "paced":
                    time.sleep(0.2)
            if mode == "no_finish":
                self._piece(connection, b"data: [DONE]\n\n")
                connection.sendall(b"0\r\n\r\n")
                return True
            self._event(connection, chunk({}, "stop"))
        if mode in ("no_done", "unclosed_done"):
            if mode == "unclosed_done":
                self._piece(connection, b"data: [DONE]")
            connection.sendall(b"0\r\n\r\n")
            return True
        usage = {**chunk({}), "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
        self._event(connection, usage)
        self._piece(connection, b"data: [DONE]\n\n")
        connection.sendall(b"0\r\n\r\n")
        return True
