"""What the tests of the drop-in ask."""

QUESTION, PARAPHRASE, OTHER = (
    "How do I reset my password?",
    "How can I reset my password?",
    "What is the capital of France?",
)
KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def user(text):
    return [{"role": "user", "content": text}]
