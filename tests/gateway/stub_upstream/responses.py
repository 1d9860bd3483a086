"""The Responses API, as OpenAI writes it."""

from .said import event, halves


def output_of(said):
    items = []
    if said.reasoning:
        items.append({"id": "rs_stub", "type": "reasoning", "summary": [{"type": "summary_text", "text": said.reasoning}]})
    parts = []
    if said.text is not None:
        parts.append({"type": "output_text", "text": said.text, "annotations": [], "logprobs": []})
    if said.refusal:
        parts.append({"type": "refusal", "refusal": said.refusal})
    if parts:
        items.append({"id": "msg_stub", "type": "message", "role": "assistant", "status": "completed", "content": parts})
    for number, (id, name, arguments) in enumerate(said.calls):
        items.append({"id": f"fc_stub{number}", "type": "function_call", "call_id": id, "name": name, "arguments": arguments, "status": "completed"})
    return items


def response_of(said, asked, output, status, usage=None):
    incomplete = {"length": {"reason": "max_output_tokens"}, "content_filter": {"reason": "content_filter"}}.get(said.finish)
    if status == "completed" and incomplete:
        status = "incomplete"
    return {
        "id": "resp_stub",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": incomplete if status == "incomplete" else None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "model": said.model,
        "output": output,
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": asked.get("reasoning") or {"effort": None, "summary": None},
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools") or [],
        "top_p": asked.get("top_p", 1.0),
        "truncation": asked.get("truncation", "disabled"),
        "usage": usage,
        "user": asked.get("user"),
        "metadata": asked.get("metadata") or {},
    }


def usage_of(said):
    return {
        "input_tokens": said.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": said.input_tokens + said.output_tokens,
    }


def whole_response(said, asked):
    return response_of(said, asked, output_of(said), "completed", usage_of(said))


def response_events(said, asked):
    events = []

    def add(kind, type, **fields):
        events.append((kind, event({"type": type, "sequence_number": len(events), **fields}, type)))

    add("head", "response.created", response=response_of(said, asked, [], "in_progress"))
    add("head", "response.in_progress", response=response_of(said, asked, [], "in_progress"))
    for index, item in enumerate(output_of(said)):
        at = {"item_id": item["id"], "output_index": index}
        if item["type"] == "reasoning":
            summary = {**at, "summary_index": 0}
            add("head", "response.output_item.added", output_index=index, item={**item, "summary": []})
            add("head", "response.reasoning_summary_part.added", **summary, part={"type": "summary_text", "text": ""})
            for piece in halves(said.reasoning):
                add("text", "response.reasoning_summary_text.delta", **summary, delta=piece)
            add("text", "response.reasoning_summary_text.done", **summary, text=said.reasoning)
            add("text", "response.reasoning_summary_part.done", **summary, part=item["summary"][0])
        elif item["type"] == "message":
            add("head", "response.output_item.added", output_index=index, item={**item, "status": "in_progress", "content": []})
            for number, part in enumerate(item["content"]):
                place, text = {**at, "content_index": number}, part["type"] == "output_text"
                empty = {**part, "text": ""} if text else {**part, "refusal": ""}
                add("head", "response.content_part.added", **place, part=empty)
                if text:
                    for word in said.words():
                        add("text", "response.output_text.delta", **place, delta=word, logprobs=[])
                    add("text", "response.output_text.done", **place, text=said.text, logprobs=[])
                else:
                    for piece in halves(said.refusal):
                        add("text", "response.refusal.delta", **place, delta=piece)
                    add("text", "response.refusal.done", **place, refusal=said.refusal)
                add("text", "response.content_part.done", **place, part=part)
        else:
            add("head", "response.output_item.added", output_index=index, item={**item, "status": "in_progress", "arguments": ""})
            for piece in halves(item["arguments"]):
                add("text", "response.function_call_arguments.delta", **at, delta=piece)
            add("text", "response.function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"])
        add("text", "response.output_item.done", output_index=index, item=item)
    last = whole_response(said, asked)
    add("end", f"response.{last['status']}", response=last)
    return events


def error_event(message):
    return event({"type": "error", "sequence_number": 99, "code": "server_error", "message": message, "param": None}, "error")
