"""Which requests are the same question: asked by bytes, counted at the upstream."""

import pytest
from sharing_pairs import LOOK_ALIKES, NOT_PROMISED, OTHERS, PATHS, SAME, chat


def ask(shared, key, request):
    """(what became of it, upstream calls it took)"""
    gateway, stub = shared
    before = stub.count()
    headers = dict(request.headers)
    if request.key_header:
        key += request.key
        headers[request.key_header] = f"Bearer {key}" if request.key_header == "authorization" else key
    status, answer, body = gateway.request("POST", PATHS[request.api] + request.query, request.body, headers)
    assert status == 200, body
    return answer["x-sosie-cache"], stub.count() - before


@pytest.mark.parametrize("pair", SAME, ids=lambda pair: pair.name)
def test_one_question(shared, key, pair):
    assert ask(shared, key, pair.first) == ("miss", 1)
    assert ask(shared, key, pair.second) == ("hit", 0)


@pytest.mark.parametrize("pair", OTHERS, ids=lambda pair: pair.name)
def test_two_questions(shared, key, pair):
    assert ask(shared, key, pair.first)[1] == 1
    assert ask(shared, key, pair.second)[1] == 1
    assert ask(shared, key, pair.first)[1] == (0 if pair.repeats else 1)  # It is not that nothing is ever kept.


@pytest.mark.parametrize("one,other", LOOK_ALIKES, ids=[pair[0] for pair in LOOK_ALIKES])
def test_questions_that_look_alike(shared, key, one, other):
    assert [ask(shared, key, chat(text))[1] for text in (one, other, one, other)] == [1, 1, 0, 0]


def test_there_are_enough_pairs():
    assert len(SAME) + len(OTHERS) >= 150 and len({pair.name for pair in SAME + OTHERS}) == len(SAME) + len(OTHERS)


@pytest.mark.parametrize("one,other", NOT_PROMISED, ids=[pair[0] for pair in NOT_PROMISED])
def test_exact_keeps_apart_what_meaning_does_not(shared, key, one, other):
    """Who needs more certainty than the encoder has can ask for it."""
    exact = {"x-sosie-cache-control": "exact"}
    assert [ask(shared, key, chat(text, headers=exact))[1] for text in (one, other, one, other)] == [1, 1, 0, 0]
