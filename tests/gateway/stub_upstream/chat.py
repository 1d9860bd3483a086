"""Chat completions and text completions, as OpenAI's API writes them."""

import base64
import struct
import zlib

from .said import event, halves

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
DONE = b"data: [DONE]\n\n"


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


def token_logprobs(words):
    """As `logprobs: true` asks for."""
    tokens = [{"token": word, "logprob": -0.25 * (i + 1), "bytes": list(word.encode()), "top_logprobs": []} for i, word in enumerate(words)]
    return {"content": tokens, "refusal": None}


def tool_calls(said):
    return [{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}} for id, name, arguments in said.calls]


def whole_chat(said, asked):
    more = {}
    if said.calls:
        more["tool_calls"] = tool_calls(said)
    if said.reasoning:
        more["reasoning_content"] = said.reasoning
    more["refusal"] = said.refusal or None
    answer = completion(said.text, said.finish, **more)
    answer["model"], answer["usage"] = said.model, said.usage
    choice = answer["choices"][0]
    if asked.get("logprobs"):
        choice["logprobs"] = token_logprobs(said.words())
    answer["choices"] = [{**choice, "index": i} for i in range(asked.get("n") or 1)]
    return answer


def chat_events(said, asked):
    """[(kind, bytes)]; kinds: head, text, finish, usage, end."""
    counted = (asked.get("stream_options") or {}).get("include_usage") is True
    events = []

    def add(kind, delta, finish=None, index=0, logprobs=None):
        one = chunk(delta, finish, index)
        one["model"] = said.model
        if logprobs:
            one["choices"][0]["logprobs"] = logprobs
        if counted:
            one["usage"] = None
        events.append((kind, event(one)))

    choices = range(asked.get("n") or 1)
    for index in choices:
        add("head", {"role": "assistant", "content": None if said.text is None else "", "refusal": None}, index=index)
    for index in choices:
        for piece in halves(said.reasoning) if said.reasoning else []:
            add("text", {"reasoning_content": piece}, index=index)
        if said.text is not None:
            tokens = token_logprobs(said.words())["content"]
            for i, word in enumerate(said.words()):
                add("text", {"content": word}, index=index, logprobs={"content": [tokens[i]], "refusal": None} if asked.get("logprobs") else None)
        for piece in halves(said.refusal) if said.refusal else []:
            add("text", {"refusal": piece}, index=index)
        for i, (id, name, arguments) in enumerate(said.calls):
            add("text", {"tool_calls": [{"index": i, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]}, index=index)
            for piece in halves(arguments):
                add("text", {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}, index=index)
    for index in choices:
        add("finish", {}, said.finish, index=index)
    if counted:
        events.append(("usage", event({**chunk({}), "model": said.model, "choices": [], "usage": said.usage})))
    return [*events, ("end", DONE)]


def whole_completion(said, asked):
    words = said.words()
    logprobs = None
    if asked.get("logprobs") is not None:
        logprobs = {"tokens": words, "token_logprobs": [-0.5] * len(words), "top_logprobs": None, "text_offset": list(range(len(words)))}
    choice = {"text": said.text or "", "index": 0, "logprobs": logprobs, "finish_reason": said.finish}
    prompts = len(asked["prompt"]) if isinstance(asked.get("prompt"), list) and asked["prompt"] and not isinstance(asked["prompt"][0], int) else 1
    return {
        "id": "cmpl-stub",
        "object": "text_completion",
        "created": 1700000000,
        "model": said.model,
        "choices": [{**choice, "index": i} for i in range((asked.get("n") or 1) * prompts)],
        "usage": said.usage,
    }


def completion_events(said, asked):
    counted = (asked.get("stream_options") or {}).get("include_usage") is True
    base = {"id": "cmpl-stub", "object": "text_completion", "created": 1700000000, "model": said.model}
    more = {"usage": None} if counted else {}
    events = [
        ("text", event({**base, "choices": [{"text": word, "index": 0, "logprobs": None, "finish_reason": None}], **more})) for word in said.words()
    ]
    events.append(("finish", event({**base, "choices": [{"text": "", "index": 0, "logprobs": None, "finish_reason": said.finish}], **more})))
    if counted:
        events.append(("usage", event({**base, "choices": [], "usage": said.usage})))
    return [*events, ("end", DONE)]


def key_number(key):
    """What stands for a key in a vector."""
    return zlib.crc32(key.encode()) % 1024


def embeddings(said, asked):
    """Vectors that depend on the text and the key; base64 where it is asked for."""
    texts = asked.get("input", "")
    many = texts if isinstance(texts, list) and texts and not isinstance(texts[0], int) else [texts]
    data = []
    for i, text in enumerate(many):
        vector = [float(len(str(text))), float(sum(str(text).encode()) % 997), float(key_number(said.key))]
        coded = base64.b64encode(struct.pack("<3f", *vector)).decode() if asked.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": i, "embedding": coded})
    return {"object": "list", "data": data, "model": asked.get("model"), "usage": {"prompt_tokens": 4, "total_tokens": 4}}


def error(message, kind, code=None):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_event(message):
    return event(error(message, "server_error"))
