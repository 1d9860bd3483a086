"""replay: files as people have them run to the end."""

import json

import pytest


def replay(sosie, path, *arguments):
    return json.loads(sosie("replay", path, "--json", *arguments, timeout=600).stdout)


def write(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_pairs_are_stored_on_one_side_and_asked_on_the_other(sosie, tmp_path):
    report = replay(
        sosie,
        write(
            tmp_path / "pairs.jsonl",
            [
                {"a": "How do I reset my password?", "b": "How can I reset my password?", "same": 1},
                {"a": "Is it safe to turn dark mode on?", "b": "Is it safe to turn dark mode off?", "same": 0},
                {"a": "What is the capital of France?", "b": "Who wrote Faust?", "same": 0},
            ],
        ),
        "--threshold",
        "0.8",
    )
    assert report["asked"] == 3 and report["stored"] == 3
    assert report["right"] == 1 and report["could_hit"] == 1
    assert report["wrong"] == 1 and "dark mode" in report["worst"][0]["asked"]


def test_a_stream_is_asked_in_order_and_stored_where_it_misses(sosie, tmp_path):
    report = replay(
        sosie,
        write(
            tmp_path / "stream.jsonl",
            [
                {"q": "How do I reset my password?", "cluster": 1, "answer": "so"},
                {"question": "How can I reset my password?", "cluster": 1},
                {"prompt": "How do I reset my password?", "cluster": 1},
                json.dumps("What is the capital of France?"),
                {"messages": [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "Paris"}]},
                {"messages": [{"role": "user", "content": [{"type": "text", "text": "Who wrote Faust?"}]}]},
            ],
        ),
    )
    assert report["asked"] == 6 and report["stored"] == 3
    assert report["semantic_hits"] == 1 and report["exact_hits"] == 2
    assert report["right"] == 2 and report["wrong"] == 0 and report["unlabelled"] == 1


def test_pairs_of_other_names_and_labels(sosie, tmp_path):
    pair = "How do I reset my password?", "How can I reset my password?"
    report = replay(
        sosie,
        write(
            tmp_path / "pairs.jsonl",
            [
                {"question1": pair[0], "question2": pair[1], "is_duplicate": "1", "model": "m1"},
                {"sentence1": pair[0], "sentence2": pair[1], "label": 1, "model": "m2"},
                {"text1": pair[0], "text2": pair[1], "label": False, "model": "m3"},
            ],
        ),
    )
    assert report["stored"] == 3 and report["right"] == 2 and report["wrong"] == 1


def test_model_system_prompt_and_earlier_turns_are_a_hard_key(sosie, tmp_path):
    def chat(*messages, model="m"):
        return {"model": model, "messages": [{"role": role, "content": content} for role, content in messages]}

    report = replay(
        sosie,
        write(
            tmp_path / "chats.jsonl",
            [
                chat(("system", "You are A."), ("user", "Who are you?")),
                chat(("system", "You are B."), ("user", "Who are you?")),
                chat(("user", "Who are you?")),
                chat(("user", "Who are you?"), model="n"),
                chat(("user", "Hello"), ("assistant", "Hi"), ("user", "Who are you?")),
                {"q": "Who are you?", "system": "You are C."},
                chat(("system", "You are B."), ("user", "Who are you?")),
            ],
        ),
    )
    assert report["stored"] == 6 and report["exact_hits"] == 1 and report["semantic_hits"] == 0


def test_what_cannot_be_read_is_counted_and_skipped(sosie, tmp_path):
    deep = "[" * 10_000 + "]" * 10_000
    path = write(tmp_path / "bad.jsonl", ["{", '{"x": 1}', "7", deep, '{"q": ""}', "", '{"q": "Who wrote Faust?"}'])
    with path.open("ab") as file:
        file.write(b'{"q": "\xff\xfe"}\n')
    report = replay(sosie, path)
    assert report["asked"] == 1 and report["blank"] == 1 and report["unreadable"] == 5


def test_questions_come_from_standard_input(sosie):
    report = json.loads(sosie("replay", "-", "--json", stdin=b'"Who wrote Faust?"\n"Who wrote Faust?"\n').stdout)
    assert report["asked"] == 2 and report["exact_hits"] == 1
    assert b"standard input" in sosie("replay", "-", stdin=b"", code=2).stderr


def test_a_folder_is_named_as_such(sosie, tmp_path):
    assert b"is a folder" in sosie("replay", tmp_path, code=2).stderr
    assert b"is a folder" in sosie("import", tmp_path, "--data", tmp_path / "data", code=2).stderr


def test_a_file_without_questions_is_an_error(sosie, tmp_path):
    assert b"no question" in sosie("replay", write(tmp_path / "none.jsonl", ["7"]), code=2).stderr
    sosie("replay", tmp_path / "absent.jsonl", code=2)


@pytest.mark.parametrize("name", ["gptcache_mock", "osschat", "cacheadv_mariadb"])
def test_real_question_pairs_run_to_the_end(sosie, sosie_data, name):
    path = sosie_data / f"{name}.jsonl"
    report = replay(sosie, path)
    assert report["asked"] == sum(1 for line in path.open() if line.strip())
    assert report["right"] > 0


def test_a_real_query_stream_runs_to_the_end(sosie, sosie_data, tmp_path):
    questions = (sosie_data / "stream.jsonl").read_text().splitlines()[:3000]
    report = replay(sosie, write(tmp_path / "stream.jsonl", questions))
    assert report["asked"] == 3000 and report["right"] > 3 * report["wrong"] > 0
