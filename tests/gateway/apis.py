"""The APIs in plain JSON, for tests that look at bytes: how each asks, and what its answers say."""

import json


class Api:
    """`ask` makes a request's body; `said` and `streamed` read the text of an answer, whole or in events."""

    def __init__(self, name, path, end):
        self.name, self.path, self.end = name, path, end

    def __repr__(self):
        return self.name

    def headers(self, key):
        if key is None:
            return {}
        return {"x-api-key": key, "anthropic-version": "2023-06-01"} if self.name == "messages" else {"Authorization": f"Bearer {key}"}

    def ask(self, text, **fields):
        if self.name == "completions":
            return {"model": "stub-model", "prompt": text, **fields}
        if self.name == "embeddings":
            return {"model": "stub-model", "input": text, **fields}
        if self.name == "responses":
            return {"model": "stub-model", "input": text, "max_output_tokens": 100, **fields}
        return {"model": "stub-model", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}

    def said(self, body):
        answer = json.loads(body)
        if self.name == "chat":
            return answer["choices"][0]["message"]["content"]
        if self.name == "completions":
            return answer["choices"][0]["text"]
        if self.name == "responses":
            return "".join(part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"])
        if self.name == "messages":
            return "".join(block["text"] for block in answer["content"] if block["type"] == "text")
        return json.dumps(answer["data"][0]["embedding"])

    def streamed(self, body):
        """The text of a stream that has its end."""
        events = events_of(body)
        assert self.has_end(events), body[-300:]
        return self.heard(events)

    def heard(self, events):
        """The text of a stream as far as it came."""
        events = [event for event in events if event != "[DONE]" and "error" not in event]
        if self.name in ("chat", "completions"):
            choices = [choice for event in events for choice in event["choices"]]
            return "".join((choice["delta"].get("content") or "") if self.name == "chat" else choice["text"] for choice in choices)
        if self.name == "responses":
            return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")

    def has_end(self, events):
        return any(event == "[DONE]" or (isinstance(event, dict) and event.get("type") == self.end) for event in events)

    def text(self, body, stream):
        return self.streamed(body) if stream else self.said(body)

    def is_error(self, body):
        """Whether a plain answer is an error in the API's own form."""
        answer = json.loads(body)
        if self.name == "messages":
            return answer["type"] == "error" and isinstance(answer["error"]["type"], str) and isinstance(answer["error"]["message"], str)
        return set(answer["error"]) == {"message", "type", "param", "code"} and isinstance(answer["error"]["message"], str)

    def is_error_event(self, event):
        """Whether the event of a broken stream says so in the API's own form."""
        if self.name == "responses":
            return event.get("type") in ("error", "response.failed")
        if self.name == "messages":
            return event.get("type") == "error" and "message" in event["error"]
        return "message" in event.get("error", {})


def events_of(body):
    """The data of each event, read as JSON where it is."""
    datas = [line[5:].strip() for line in body.decode().replace("\r\n", "\n").split("\n") if line.startswith("data:")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


CHAT = Api("chat", "/v1/chat/completions", "[DONE]")
COMPLETIONS = Api("completions", "/v1/completions", "[DONE]")
RESPONSES = Api("responses", "/v1/responses", "response.completed")
MESSAGES = Api("messages", "/v1/messages", "message_stop")
EMBEDDINGS = Api("embeddings", "/v1/embeddings", None)
STREAMING = [CHAT, COMPLETIONS, RESPONSES, MESSAGES]
CONVERSATIONS = [CHAT, RESPONSES, MESSAGES]
ALL = [*STREAMING, EMBEDDINGS]
