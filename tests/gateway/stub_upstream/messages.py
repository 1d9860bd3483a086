"""Anthropic's Messages API."""

import json

from .said import event, halves

STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}


def blocks_of(said):
    blocks = []
    if said.reasoning:
        blocks.append({"type": "thinking", "thinking": said.reasoning, "signature": "c2lnbmVk"})
    if said.text is not None or said.refusal:
        blocks.append({"type": "text", "text": said.text or said.refusal})
    for id, name, arguments in said.calls:
        blocks.append({"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)})
    return blocks


def message_of(said, content, stop_reason, output_tokens):
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": said.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        },
    }


def stop_reason_of(said):
    return "refusal" if said.refusal else STOP_REASONS[said.finish]


def whole_message(said, asked):
    return message_of(said, blocks_of(said), stop_reason_of(said), said.output_tokens)


def message_events(said, asked):
    events = []

    def add(kind, type, **fields):
        events.append((kind, event({"type": type, **fields}, type)))

    add("head", "message_start", message=message_of(said, [], None, 1))
    for index, block in enumerate(blocks_of(said)):
        deltas = []
        if block["type"] == "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in halves(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif block["type"] == "text":
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": word} for word in (said.words() if said.text is not None else [block["text"]])]
        else:
            empty = {**block, "input": {}}
            arguments = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *halves(arguments)]]
        add("head", "content_block_start", index=index, content_block=empty)
        if index == 0:
            add("head", "ping")
        for delta in deltas:
            add("text", "content_block_delta", index=index, delta=delta)
        add("text", "content_block_stop", index=index)
    add("finish", "message_delta", delta={"stop_reason": stop_reason_of(said), "stop_sequence": None}, usage={"output_tokens": said.output_tokens})
    add("end", "message_stop")
    return events


def error(message, kind):
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_stub"}


def error_event(message):
    return event(error(message, "overloaded_error"), "error")
