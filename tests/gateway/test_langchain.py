"""LangChain's ChatOpenAI with one URL changed."""

import pytest

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"
chat_models = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed: see tests/requirements.txt")


@pytest.fixture
def model(shared, key):
    """model(**settings) -> ChatOpenAI of one key"""
    gateway, stub = shared
    stub.mode = "ok"

    def make(**settings):
        return chat_models.ChatOpenAI(model="stub-model", base_url=gateway.url + "/v1", api_key=key, max_retries=0, **settings)

    yield make
    stub.mode = "ok"


@pytest.fixture
def calls(shared):
    before = shared[1].count()
    return lambda: shared[1].count() - before


def streamed(model, text):
    whole = None
    for piece in model.stream(text):
        whole = piece if whole is None else whole + piece
    return whole


@pytest.mark.parametrize("first_is_stream", [True, False])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_chat(model, calls, api, first_is_stream):
    asked = model(use_responses_api=api == "responses", stream_usage=True)
    ways = [asked.invoke, lambda text: streamed(asked, text)]
    fresh = ways[first_is_stream](QUESTION)
    assert fresh.text.startswith("answer to How do I reset")
    for text in (QUESTION, PARAPHRASE):
        for way in ways:
            answer = way(text)
            assert answer.text == fresh.text and answer.tool_calls == [] and answer.usage_metadata["total_tokens"] == 5
    assert calls() == 1
    asked.invoke("What is the tallest mountain in Norway?")
    assert calls() == 2


def test_one_entry_for_chat_and_responses(model, calls):
    chat, responses = model(stream_usage=True), model(use_responses_api=True, store=False)  # It never comes back to a response's id.
    said = [chat.invoke(QUESTION), responses.invoke(QUESTION), streamed(responses, PARAPHRASE), streamed(chat, PARAPHRASE)]
    assert len({answer.text for answer in said}) == 1 and calls() == 1


def test_messages_before_the_question_are_of_the_question(model, calls):
    asked = model()
    talk = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hello!"), ("user", QUESTION)]
    asked.invoke(talk)
    asked.invoke([*talk[:-1], ("user", PARAPHRASE)])
    assert calls() == 1
    asked.invoke([("system", "Be long."), *talk[1:]])
    asked.invoke([talk[0], ("user", "Good day"), *talk[2:]])
    assert calls() == 3


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_tool_calls(model, calls, shared, api):
    shared[1].mode = "tools"

    def weather(city: str) -> str:
        """The weather of a city."""

    asked = model(use_responses_api=api == "responses").bind_tools([weather])
    fresh = asked.invoke("Is it far to Oslo?")
    assert [(call["name"], call["args"], call["id"]) for call in fresh.tool_calls] == [("weather", {"city": "Oslo"}, "call_1")]
    assert asked.invoke("Is it far to Oslo?").tool_calls == streamed(asked, "Is it far to Oslo?").tool_calls == fresh.tool_calls
    assert calls() == 1


def test_structured_output(model, calls, shared):
    import pydantic

    class Answer(pydantic.BaseModel):
        text: str

    shared[1].text = '{"text": "so"}'
    try:
        asked = model().with_structured_output(Answer, method="json_schema")
        assert asked.invoke(QUESTION) == asked.invoke(PARAPHRASE) == Answer(text="so")
    finally:
        shared[1].text = None
    assert calls() == 1
    model().invoke(QUESTION)
    assert calls() == 2
