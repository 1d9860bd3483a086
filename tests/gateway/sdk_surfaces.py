"""Every way that the official Python clients can ask a question, and what their objects say, in one form."""

import dataclasses
import json

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"
LIMIT = 100
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@dataclasses.dataclass
class Heard:
    """What an answer says, whichever API it came by. `calls`: (id, function, arguments as JSON)."""

    text: str | None
    calls: list
    finish: str
    usage: tuple | None


def tools_of(api, names):
    if api == "chat":
        return [{"type": "function", "function": {"name": name, "description": "It does.", "parameters": SCHEMA}} for name in names]
    if api == "responses":
        return [{"type": "function", "name": name, "description": "It does.", "parameters": SCHEMA, "strict": False} for name in names]
    return [{"name": name, "description": "It does.", "input_schema": SCHEMA} for name in names]


def more_of(api, tools):
    return {"tools": tools_of(api, tools)} if tools else {}


def hear_chat(answer):
    choice = answer.choices[0]
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or []]
    usage = answer.usage and (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    return Heard(choice.message.content, calls, choice.finish_reason, usage)


def hear_chunks(chunks):
    text, calls, finish, usage = "", {}, None, None
    for chunk in chunks:
        assert chunk.object == "chat.completion.chunk"
        if chunk.usage:
            usage = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                one = calls.setdefault(call.index, ["", "", ""])
                one[0] += call.id or ""
                one[1] += call.function.name or ""
                one[2] += call.function.arguments or ""
            finish = choice.finish_reason or finish
    assert len({chunk.id for chunk in chunks}) == 1
    return Heard(text or None, [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()], finish, usage)


def hear_response(answer):
    assert answer.object == "response" and answer.status == "completed"
    calls = [(item.call_id, item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"]
    return Heard(answer.output_text or None, calls, "tool_calls" if calls else "stop", (answer.usage.input_tokens, answer.usage.output_tokens))


def hear_response_events(events):
    """The deltas must say what the last event says."""
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers)), numbers
    assert [event.type for event in events[:1]] == ["response.created"] and events[-1].type == "response.completed"
    heard = hear_response(events[-1].response)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == (heard.text or "")
    arguments = {}
    for event in events:
        if event.type == "response.function_call_arguments.delta":
            arguments[event.output_index] = arguments.get(event.output_index, "") + event.delta
    assert [json.loads(said) for said in arguments.values()] == [call[2] for call in heard.calls]
    return heard


def hear_message(answer):
    assert answer.type == "message" and answer.role == "assistant"
    calls = [(block.id, block.name, block.input) for block in answer.content if block.type == "tool_use"]
    text = "".join(block.text for block in answer.content if block.type == "text") or None
    return Heard(text, calls, {"end_turn": "stop", "tool_use": "tool_calls"}[answer.stop_reason], (answer.usage.input_tokens, answer.usage.output_tokens))


def hear_message_events(events):
    blocks, finish, usage_in, usage_out = {}, None, None, None
    assert events[0].type == "message_start" and events[-1].type == "message_stop"
    for event in events:
        if event.type == "message_start":
            usage_in = event.message.usage.input_tokens
        elif event.type == "content_block_start":
            blocks[event.index] = [event.content_block, ""]
        elif event.type == "content_block_delta":
            blocks[event.index][1] += getattr(event.delta, "text", None) or getattr(event.delta, "partial_json", None) or ""
        elif event.type == "message_delta":
            finish, usage_out = event.delta.stop_reason, event.usage.output_tokens
    calls = [(block.id, block.name, json.loads(said or "{}")) for block, said in blocks.values() if block.type == "tool_use"]
    text = "".join(said for block, said in blocks.values() if block.type == "text") or None
    return Heard(text, calls, {"end_turn": "stop", "tool_use": "tool_calls"}[finish], (usage_in, usage_out))


class Surfaces:
    """The clients of one key. Each method asks one question in one way."""

    def __init__(self, gateway, key):
        import anthropic
        import openai

        self.openai = openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0)

    def _chat(self, text, tools):
        return {"model": "stub-model", "max_tokens": LIMIT, "messages": [{"role": "user", "content": text}], **more_of("chat", tools)}

    def _responses(self, text, tools):
        return {"model": "stub-model", "max_output_tokens": LIMIT, "input": text, "store": False, **more_of("responses", tools)}

    def _messages(self, text, tools):
        return {"model": "stub-model", "max_tokens": LIMIT, "messages": [{"role": "user", "content": text}], **more_of("messages", tools)}

    def chat(self, text, tools=()):
        return hear_chat(self.openai.chat.completions.create(**self._chat(text, tools)))

    def chat_stream(self, text, tools=()):
        stream = self.openai.chat.completions.create(**self._chat(text, tools), stream=True, stream_options={"include_usage": True})
        return hear_chunks(list(stream))

    def chat_helper(self, text, tools=()):
        with self.openai.chat.completions.stream(**self._chat(text, tools), stream_options={"include_usage": True}) as stream:
            for _ in stream:
                pass
            return hear_chat(stream.get_final_completion())

    def responses(self, text, tools=()):
        return hear_response(self.openai.responses.create(**self._responses(text, tools)))

    def responses_stream(self, text, tools=()):
        return hear_response_events(list(self.openai.responses.create(**self._responses(text, tools), stream=True)))

    def responses_helper(self, text, tools=()):
        with self.openai.responses.stream(**self._responses(text, tools)) as stream:
            for _ in stream:
                pass
            return hear_response(stream.get_final_response())

    def messages(self, text, tools=()):
        return hear_message(self.anthropic.messages.create(**self._messages(text, tools)))

    def messages_stream(self, text, tools=()):
        return hear_message_events(list(self.anthropic.messages.create(**self._messages(text, tools), stream=True)))

    def messages_helper(self, text, tools=()):
        with self.anthropic.messages.stream(**self._messages(text, tools)) as stream:
            said = "".join(stream.text_stream)
            heard = hear_message(stream.get_final_message())
        assert said == (heard.text or "")
        return heard


WAYS = [f"{api}{way}" for api in ("chat", "responses", "messages") for way in ("", "_stream", "_helper")]
