"""The reader of stored values against CPython's own json.loads and ast.literal_eval, on hostile texts by the thousand."""

import ast
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import unicodedata
import warnings

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VECTORS = json.loads((pathlib.Path(__file__).parent / "value_vectors.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the reader is CPython 3.11's: another one's grammar differs")


def ask(mode, texts):
    """What python_value_probe ($SOSIE_VALUE_PROBE, else the release build's) answers to each text."""
    binary = os.environ.get("SOSIE_VALUE_PROBE", ROOT / "build/release/bin/python_value_probe")
    sent = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    done = subprocess.run([binary, mode], input=sent, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    out, at, answers = done.stdout, 0, []
    while at < len(out):
        (length,) = struct.unpack_from("<I", out, at)
        answers.append(out[at + 4 : at + 4 + length])
        at += 4 + length
    assert len(answers) == len(texts)
    return answers


def bits(number):
    return "nan" if number != number else struct.pack(">d", number).hex()


def written(value):
    """As python_value_probe writes a value."""
    kind = type(value)
    if value is None or value is ...:
        return "N" if value is None else "E"
    if kind is bool:
        return "T" if value else "F"
    if kind is int:
        return f"i{value}"
    if kind is float:
        return "f" + bits(value)
    if kind is complex:
        return f"c{bits(value.real)}+{bits(value.imag)}"
    if kind is str:
        return "s" + value.encode("utf-8", "surrogatepass").hex()
    if kind is bytes:
        return "b" + value.hex()
    if kind is dict:
        return "{" + "".join(f"{written(key)},{written(item)}," for key, item in value.items()) + "}"
    items = [written(item) + "," for item in value]
    left, right = {list: "[]", tuple: "()", set: "<>"}[kind]
    return left + "".join(sorted(items) if kind is set else items) + right


def python_reads(stored):
    """What LiteLLM makes of the bytes of a response field."""
    text = stored.decode("utf-8", "ignore")
    try:
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = ast.literal_eval(text)
    except (json.JSONDecodeError, SyntaxError):
        return "miss"
    except ValueError as error:
        # Of json.loads, where upstream does not catch it.
        return "raise" if "Exceeds the limit" in str(error) else "miss"
    except (TypeError, OverflowError, RecursionError, MemoryError):
        return "raise"
    if value is None:
        return "miss"
    try:
        return written(value)
    except ValueError:
        return "raise"  # An integer in hexadecimal that CPython cannot print.


def differences(texts):
    texts = sorted(set(texts))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text, answer in zip(texts, ask("value", texts)):
            expected, got = python_reads(text), answer.decode()
            # Python raises where a key cannot be hashed, though what stands behind it is an expression that is no literal:
            # the reader knows no such expressions. A miss is a miss.
            if expected != got and (expected, got) != ("raise", "miss"):
                found.append((text[:200], expected[:100], got[:100]))
    return found


EDGES = [
    "\n1", "\n 1", "\\\n1", "\\\n 1", "'a' \\\n", "'a' \\\n\n", "'a'\\\n#c", "'a'\n  ", "'a'\n #c\n", "'a'\n\\\n", "#c\n'a'", "\f 'a'", "\n \f1",
    "\n\t\f1", "1;", "(1\n)", "1\n)", "set ()", "(set)()", "((set)) ( )", "set(\n)", "set", "[set]", "set(*[])", "set(1)", "set()()", "(set(),)",
    "'a' 'b'", "'a'\n'b'", "('a'\n'b')", "'a'\\\n'b'", "'a' # c\n", "'''a\r\nb'''", "'a\\\r\nb'", "'a'\r\r 'b'", "b'a' 'b'", "b'a' b'b'",
    "12j+1", "1+True", "-True", "1e400j", "1e400", "-1e400", "1e-400", "[1" + "0" * 400 + "+1j]", "{[]:1}", "{[]:1,-'a':2}", "{{}}", "{set():1}",
    "{([],):1}", "{-'a':1,[]:2}", "0x" + "f" * 3000, "0x" + "f" * 5000, "0b" + "1" * 9000, "0o" + "7" * 4000, "0x" + "0" * 9000 + "1",
    "1" * 4300, "1" * 4301, "[" + "1" * 4301, "-" + "1" * 4301, "1" * 4301 + "j", "1" * 4301 + ".", "(" + "1" * 4301 + ",)", "0" * 5000,
    "0_0", "0_1", "0b_1", "0X_fF", "1__1", "1_", "0777", "09.5", "09j", "09e1", "00e0", "1e", "1e+", "1_e1", "1._1", "0xg", "0b2", "0o8", "1.e1", "1.j",
    ".e1", ".5e-3j", "1_0e1_0", "1e1_", "u'a'", "U'a'", "ur'a'", "br'a'", "Rb'a'", "bR'a'", "bu'a'", "bb'a'", "rr'a'", "f'a'", "'a' f'b'", "rf'a'",
    "b'\\777'", "'\\777'", "b'\\u1234'", "b'é'", "rb'é'", "b'\\é'", "'\\é'", "r'\\é'", "'\\N{BULLET}'", "'\\N'", "'\\N{}'", "'\\N{bullet}'",
    "b'\\N{x}'", "r'\\N{'", "r'\\'", "r'\\''", "r'\\\\'", "r'a\\\nb'", "'\\ud83d\\ude00'", "'\\U0001f600'", "'\\U00110000'", "'\\x4'", "'\\xg0'", "b'\\x4'",
    "...", ". . .", "....", "None,", "(),", "[,]", "{,}", "(,)", "(1,,)", "{1:2,}", "{1:2,,}", "{1:2 3:4}", "{1,2:3}", "{1:2,3}", "1,2", "1,", "*1,", ",",
    "", "  ", "#", "\n", "\f", "\x0b1", "'\x0b'", "\ufeff1", "'a' \ufeff", "{'a':1}#é", "'é'\u00a0", "'a\0'", "'a'\0", "\x1f'a'", "{True:1,1:2,1.0:3}",
    "{1.5:1,1.5:2,-0.0:3,0:4,0j:5,1+0j:6,True:7}", "{1e30:1,1000000000000000019884624838656:2,10**30:3}", "{(1,2):1,(1.0,2+0j):2,('a',b'a'):3}",
    "{1,True,1.0,'1',b'1',(),...,None,False,0}", "{1e400:1,-1e400:2,1e500:3}", "not 1", "~1", "1<2", "1+2j-3j", "-1+2j", "+1+2j", "--1", "-(-1)",
    "1+-2j", "(1+2j)", "-(1+2j)", "(1)+2j", "(-1)-2j", "((1))-((2j))", "2j+2j", "-1j", "1.0-0j", "-0.0+0j", "-0.0-0j", "-0", "+0", "-0j", "1 +\n2j",
    "(1 +\n2j)", "1 + \\\n2j", "true,", "nan", "\"a\" 'b' '''c''' r\"\"\"d\"\"\"", "''''''", "'''a''", "''''a'''", "'''a\\'''b'''", "\\", "1\\", "(\\\n1)",
    "(\\ \n1)", "'a\nb'", "'a\\", "'", "'''", "[1\\\n,2]", "__debug__", "1if 1else 2", "1'a'", "'a'1", "None'a'", "[1 2]", "[1][0]", "'a'.b", "'a'()", "'a'%1",
    "[x for x in [1]]", "{**{}}", "[*[1]]", "(a := 1)", "lambda: 1", "`1`", "$", "1 if 1 else 2", "[\n\n#c\n1,\n]", "{'a':\n1}", "'a'\n\n'b'", "\r'a'", "'a'\r",
    "[NaN]", "[nan]", "-Infinity", "-NaN", "[-Infinity, 1e999, -1e999, 1e-999]", "[1.0E+2,1E5,-0,-0.0,-0e0]", "01", "-", "[-]", "1.", "[1.]", "+1", "{\"a\":1,\"a\":2,\"b\":3,\"a\":4}",
    "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\ude00\\ud83d\"", "\"\\ud83dx\"", "\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"", "\"\\ud83d\\ud83d\\ude00\"", "\"\\ud83d\\u00zz\"", "\"\\u00e\"",
    "\"\\u-001\"", "\"\\x41\"", "\"\\/\"", "\"\\'\"", "\"a\tb\"", "\"\x7f\"", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "\x0c[1]", "[1]\x0c", "\v[1]", "\u00a0[1]",
] + [f"{left * n}'x'{right * n}" for n in (199, 200, 201) for left, right in ["()", "[]", ("(", ",)"), ("{'':", "}"), ("-(", ")")]] + [
    f"{left * n}{right * n}" for n in (199, 201, 450, 5000) for left, right in ["[]", ("[[", ",]]")]
] + ['{"a":' * n + "1" + "}" * n for n in (300, 5000)] + ["[" * 100_000, "-" * 100_000, "(" * 100_000, "'a'" * 10_000, "[[]" + ",[]" * 20_000 + "]"]


def test_edges():
    assert differences([text.encode("utf-8", "surrogatepass") for text in EDGES]) == []


def test_json_nested_as_deeply_as_python_reads_it():
    # json.loads stops where Python's stack is full, and pytest has filled a part of it: LiteLLM's own callers do, too.
    deep = [b"[" * n + b"]" * n for n in (993, 994)]
    assert ask("value", deep)[1] == b"raise" and ask("value", deep)[0].startswith(b"[[")


def test_invalid_bytes_are_dropped():
    texts = [b"'a\xff'", b"\xc3(1)", b"{'a': 1}\xe2\x82", b"\xed\xa0\xbd'a'", b"'\xf0\x9f\x98'", b"'\xc0\xaf\xf5\x80'", b"b'\xff'", b"\xff", b"'\xe2\x82\xac\xe2'"]
    assert differences(texts) == []


def grown(rng, depth=0):
    """A literal, or nearly one."""
    space = rng.choice(["", "", "", " ", "\n", "\t ", "#c\n", "\\\n", "\f", "\r\n"]) if depth else ""
    kind = rng.randrange(22 if depth < 5 else 14)
    if kind < 3:
        number = rng.choice(["0", "1", "-1", "12_3", "0x1F", "0b11", "1.5", ".5", "1e3", "1E-5", "-0.0", "1j", "1+2j", "- 1", "1-2.5j", "007", "1__0", "9" * 30, "1e999"])
        return space + number
    if kind < 8:
        return space + quoted(rng)
    if kind < 11:
        return space + rng.choice(["None", "True", "False", "...", "null", "true", "false", "NaN", "set()", "foo", "-Infinity", "()"])
    if kind < 13:
        return space + rng.choice(["-", "+", ""]) + "(" + grown(rng, depth + 1) + ")" + rng.choice(["", "", "+1j", "-2j", "[0]"])
    if kind < 14:
        return space + " ".join(quoted(rng) for _ in range(rng.randint(2, 3)))
    items = [grown(rng, depth + 1) + rng.choice(["", "", " ", "\n"]) for _ in range(rng.randint(0, 4))]
    tail = rng.choice(["", "", "", ","])
    if kind < 17:
        return space + "[" + ",".join(items) + tail + "]"
    if kind < 18:
        return space + "(" + ",".join(items) + "," + ")"
    if kind < 19:
        return space + "{" + ",".join(items) + tail + "}"
    return space + "{" + ",".join(f"{grown(rng, depth + 3)}:{item}" for item in items) + tail + "}"


def quoted(rng):
    pieces = ["a", "é", "日", "😀", "\\n", "\\\\", "\\'", '\\"', "\\x41", "\\u00e9", "\\ud83d", "\\ude00", "\\101", "\\0", "\\d", "\\\n", "\\N{DIGIT ONE}", "{", "}", "'", '"', "\n", "\t", "\\u12", "\\U0001f600", "#", ",", "\x01"]
    body = "".join(rng.choice(pieces) for _ in range(rng.randint(0, 5)))
    quote = rng.choice(["'", "'", '"', '"', "'''", '"""'])
    if rng.random() < 0.5 and len(quote) == 1:
        body = body.replace(quote, "").replace("\n", "")
    return rng.choice(["", "", "", "", "", "b", "r", "u", "Rb", "f"]) + quote + body + quote


def mutated(rng, text):
    pieces = ["'", '"', "\\", ",", ":", "(", ")", "[", "]", "{", "}", " ", "\n", "\r", "\t", "\f", "#", "-", "+", "1", ".", "_", "j", "e", "b", "r", "\\\n", "'''", "\0", "\x0b", "\ufeff", "é", "set()", "None", "\\u", "*"]
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + rng.choice(pieces) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + rng.randint(1, 3) :]
        elif kind == 2:
            text = text[:at] + rng.choice(pieces) + text[at + 1 :]
        else:
            other = rng.randint(0, len(text))
            text = text[:at] + text[min(at, other) : max(at, other)] + text[at:]
    return text


def test_random_literals_and_mutations():
    rng = random.Random(int(os.environ.get("SOSIE_SEED", "1")))
    seeds = [vector["stored_text"] for group in ("read", "write", "cache_layer") for vector in VECTORS[group]] + [edge for edge in EDGES if len(edge) < 300]
    texts = [grown(rng) for _ in range(int(os.environ.get("SOSIE_TEXTS", "6000")))]
    texts += [mutated(rng, rng.choice(seeds)) for _ in range(len(texts))]
    texts += [mutated(rng, rng.choice(texts)) for _ in range(len(texts) // 4)]
    assert differences([text.encode("utf-8", "surrogatepass") for text in texts]) == []


def test_every_name_of_a_character():
    points = [point for point in range(0x110000) if unicodedata.name(chr(point), "")]
    rare = [point for point in points if point % 97 == 0 or not 0x3400 <= point < 0x30000]
    names = [unicodedata.name(chr(point)) for point in rare]
    names += ["LINE FEED", "NULL", "alert", "BEL", "hangul syllable ga", "HANGUL SYLLABLE", "HANGUL SYLLABLE GAX", "CJK UNIFIED IDEOGRAPH-4e00", "CJK UNIFIED IDEOGRAPH-04E00",
              "CJK UNIFIED IDEOGRAPH-A000", "KEYCAP DIGIT ONE", " BULLET", "NO SUCH NAME", "bullet"]
    assert differences([f"'\\N{{{name}}}'".encode() for name in names]) == []
