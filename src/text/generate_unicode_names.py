#!/usr/bin/env python3
"""Writes unicode_names.inc, the names of Unicode's characters as CPython 3.11 knows them: a hash of each, no text.

    python3.11 src/text/generate_unicode_names.py ALIASES > src/text/unicode_names.inc

ALIASES is the Unicode Character Database's NameAliases.txt, or any text that has its names in it: every run of capital
letters, digits, spaces and hyphens is looked up.
"""
import base64
import re
import struct
import sys
import unicodedata


def fnv1a(name):
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def main():
    by_rule = ("CJK UNIFIED IDEOGRAPH-", "HANGUL SYLLABLE ")
    named = {}
    for point in range(0x110000):
        name = unicodedata.name(chr(point), "")
        if name and not name.startswith(by_rule):
            named[point] = name
    aliases = {}
    for name in set(re.findall(r"[A-Z][A-Z0-9 -]+", open(sys.argv[1], encoding="utf-8").read())):
        try:
            found = unicodedata.lookup(name)
        except KeyError:
            continue
        if len(found) == 1 and not name.startswith(by_rule) and unicodedata.name(found, "") != name:
            aliases[name] = ord(found)
    hashes = [fnv1a(name) for name in [*named.values(), *aliases]]
    if len(set(hashes)) != len(hashes):
        sys.exit("two names have one hash: take another hash")

    runs = []
    for point in named:
        if runs and runs[-1][0] + runs[-1][1] == point:
            runs[-1][1] += 1
        else:
            runs.append([point, 1])
    print(f"// Written by generate_unicode_names.py from the names of Unicode {unicodedata.unidata_version}. Do not edit.")
    print("constexpr NameRun kRuns[] = {")
    wrapped([f"{{0x{first:X}, {count}}}," for first, count in runs])
    print("};")
    print("constexpr NameAlias kAliases[] = {")
    wrapped([f"{{0x{fnv1a(name):08X}, 0x{point:X}}}," for name, point in sorted(aliases.items())])
    print("};")
    packed = b"".join(struct.pack("<I", fnv1a(name)) for name in named.values())
    text = base64.b64encode(packed).decode()
    print("constexpr std::string_view kHashes[] = {")
    for at in range(0, len(text), 112):
        print(f'    "{text[at : at + 112]}",')
    print("};")


def wrapped(items):
    line = "   "
    for item in items:
        if len(line) + 1 + len(item) > 118:
            print(line)
            line = "   "
        line += " " + item
    print(line)


main()
