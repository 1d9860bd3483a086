"""What the stub has to say, free of any API's form, and what was asked."""

import dataclasses
import json

OSLO = '{"city": "Oslo"}'


@dataclasses.dataclass
class Said:
    """`calls`: (id, function, arguments). `finish`: as chat completions call it."""

    text: str | None
    calls: list = dataclasses.field(default_factory=list)
    reasoning: str = ""
    refusal: str = ""
    finish: str = "stop"
    model: str = "stub-model"
    input_tokens: int = 3
    output_tokens: int = 2
    key: str = ""  # Of who asked.

    @property
    def usage(self):
        return {"prompt_tokens": self.input_tokens, "completion_tokens": self.output_tokens, "total_tokens": self.input_tokens + self.output_tokens}

    def words(self):
        """The text in pieces, a word each."""
        return pieces(self.text or "")


def pieces(text):
    words = text.split(" ")
    return [word if i == 0 else " " + word for i, word in enumerate(words)]


def halves(text):
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def text_of(content):
    """The text of a message's content, whichever API it is written for."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in content)
    return ""


def last_user_text(asked):
    turns = asked.get("messages", asked.get("input", asked.get("prompt", "")))
    if isinstance(turns, str):
        return turns
    if isinstance(turns, list):
        for turn in reversed(turns):
            if isinstance(turn, str):
                return turn
            if isinstance(turn, dict) and turn.get("role") == "user":
                return text_of(turn.get("content"))
    return ""


def to_say(mode, text, asked, key=""):
    """The answer that `mode` stands for, with `text` for its text."""
    model = asked.get("model", "stub-model")
    if mode == "tools":
        return Said(None, [("call_1", "weather", OSLO)], finish="tool_calls", model=model)
    if mode == "two_tools":
        return Said(text, [("call_1", "weather", OSLO), ("call_2", "total", '{"a":1,"b":2.0}')], finish="tool_calls", model=model)
    if mode == "write_tool":
        return Said(None, [("call_1", "send_mail", '{"to": "ann"}')], finish="tool_calls", model=model)
    if mode == "reasoning":
        return Said(text, reasoning="Let me think of it.", model=model)
    if mode == "refusal":
        return Said(None, refusal="I can't help with that.", model=model)
    if mode in ("length", "content_filter"):
        return Said(text, finish=mode, model=model)
    return Said(text, model=model, key=key)


def event(data, name=None):
    """The bytes of one event of a stream."""
    line = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + b"data: " + line.encode() + b"\n\n"
