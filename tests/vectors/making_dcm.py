"""DCM: values with their one byte string, and byte strings that are no DCM (docs/protocol.md section 2).

A value is written in JSON with its kind, since JSON knows neither bytes nor big numbers: {"int": "5"}, {"str": "é"},
{"bin": hex}, {"bool": true}, {"array": [value …]}, {"map": [[key, value] …]} with the keys sorted bytewise. A long value
of one repeated part says so: {"str": "x", "times": 65536}.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from making_signing import pack

VALID: list[tuple[str, Any]] = [
    *((f"int {n}", n) for n in (
        0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1,
        -1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63),
    )),
    ("false", False), ("true", True),
    *((f"str of {n} bytes", "x" * n) for n in (0, 1, 31, 32, 255, 256, 65536)),
    ("str of Han characters", "收悉"), ("str beyond the basic plane", "\U0001f4e8"), ("str with U+0000", "\0"),
    *((f"bin of {n} bytes", b"\xab" * n) for n in (0, 1, 255, 256, 65536)),
    *((f"array of {n}", [0] * n) for n in (0, 1, 15, 16, 4096)),
    *((f"map of {n}", {f"k{i:03}": i for i in range(n)}) for n in (0, 1, 15, 16, 64)),
    ("keys sorted bytewise, not by length", {"aa": 1, "b": 2, "é": 3, "收": 4}),
    ("an empty key", {"": 1, "a": 2}),
    ("eight levels", [[[[[[[[]]]]]]]]),
    ("eight levels of maps", {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}),
    ("what documents are made of", {"v": 1, "kids": [b"\1" * 32], "name": "US", "on": True, "sub": {"n": -1}}),
]  # fmt: skip

INVALID: list[tuple[str, str, str]] = [
    ("nil", "c0", "Type"), ("nil in a map", "81a161c0", "Type"), ("the reserved byte", "c1", "Type"),
    ("float 32", "ca3f800000", "Type"), ("float 64", "cb3ff0000000000000", "Type"),
    ("fixext 1", "d40100", "Type"), ("ext 8", "c7010100", "Type"), ("timestamp 32", "d6ff00000000", "Type"),
    ("timestamp 64", "d7ff0000000000000000", "Type"), ("timestamp 96", "c70cff" + "00" * 12, "Type"),
    ("a number as key", "810101", "Key"), ("bin as key", "81c4016101", "Key"), ("nil as key", "81c001", "Key"),
    ("a key twice", "82a16101a16102", "Key"), ("a key twice, deep", "81a17882a16101a16101", "Key"),
    ("keys not sorted", "82a16201a16101", "Order"), ("keys sorted by length", "82a16202a2616101", "Order"),
    ("5 as uint 8", "cc05", "Length"), ("127 as uint 8", "cc7f", "Length"), ("255 as uint 16", "cd00ff", "Length"),
    ("65535 as uint 32", "ce0000ffff", "Length"), ("2^32-1 as uint 64", "cf00000000ffffffff", "Length"),
    ("-1 as int 8", "d0ff", "Length"), ("-32 as int 8", "d0e0", "Length"), ("-128 as int 16", "d1ff80", "Length"),
    ("-32768 as int 32", "d2ffff8000", "Length"), ("-2^31 as int 64", "d3ffffffff80000000", "Length"),
    ("5 as int 8", "d005", "Length"), ("200 as int 16", "d100c8", "Length"), ("2^40 as int 64", "d30000010000000000", "Length"),
    ("short str as str 8", "d90161", "Length"), ("str 8 as str 16", "da0020" + "61" * 32, "Length"),
    ("str 16 as str 32", "db00000100" + "61" * 256, "Length"),
    ("short bin as bin 16", "c5000161", "Length"), ("short bin as bin 32", "c60000000161", "Length"),
    ("short array as array 16", "dc000101", "Length"), ("short array as array 32", "dd0000000101", "Length"),
    ("short map as map 16", "de0001a16101", "Length"), ("short map as map 32", "df00000001a16101", "Length"),
    ("trailing byte", "0100", "Framing"), ("two values", "a161a162", "Framing"), ("nothing", "", "Framing"),
    ("a map cut off", "82a16101", "Framing"), ("a str cut off", "a26", "Framing"), ("a length without bytes", "c5", "Framing"),
    ("an array cut off", "920", "Framing"), ("2^32-1 items that are not there", "ddffffffff", "Framing"),
    ("a lone byte of UTF-8", "a1ff", "Utf8"), ("overlong UTF-8", "a2c080", "Utf8"), ("a surrogate", "a3eda080", "Utf8"),
    ("beyond U+10FFFF", "a4f4908080", "Utf8"), ("a key that is no UTF-8", "81a1ff01", "Utf8"),
    ("nine levels", "91" * 8 + "90", "Limit"), ("nine levels of maps", "81a161" * 8 + "80", "Limit"),
    ("ten thousand levels", "91" * 10_000 + "90", "Limit"),
    ("65 keys", "de0041" + "".join(f"a46b3{i // 100}3{i // 10 % 10}3{i % 10}00" for i in range(65)), "Limit"),
    ("4,097 items", "dc1001" + "00" * 4097, "Limit"),
]  # fmt: skip

NOTES = {
    "Framing": "Bytes missing, or left over",
    "Key": "Map keys are str, each once",
    "Length": "A number, or the length before a value, not in its shortest form",
    "Limit": "Depth 8, 64 keys, 4,096 items at most",
    "Order": "Keys sorted bytewise",
    "Type": "nil, float, ext and timestamps have no place in DCM",
    "Utf8": "Text is well-formed UTF-8",
    "Valid": "The one form of the value",
}


def make(_stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    number = count(1)
    good = [
        {"tcId": next(number), "comment": comment, "flags": ["Valid"], "value": tagged(value), "dcm": pack(value).hex(),
         "result": "valid"} for comment, value in VALID
    ]  # fmt: skip
    bad = [
        {"tcId": next(number), "comment": comment, "flags": [flag], "dcm": text + "0" * (len(text) % 2), "result": "invalid",
         "reason": NOTES[flag]} for comment, text, flag in INVALID
    ]  # fmt: skip
    header = ["Deterministic msgpack (docs/protocol.md section 2). `value` as {kind: …}, `dcm` in hex."]
    return {
        "schema": "dcm_schema.json", "generatorVersion": "1", "numberOfTests": len(good) + len(bad), "header": header,
        "notes": NOTES, "testGroups": [{"type": "Dcm", "about": "encode and decode", "tests": good},
                                       {"type": "Dcm", "about": "refused", "tests": bad}],
    }  # fmt: skip


def tagged(value: Any) -> dict[str, Any]:
    """The value with its kind."""
    match value:
        case bool():
            return {"bool": value}
        case int():
            return {"int": str(value)}
        case str():
            return {"str": "x", "times": len(value)} if len(value) > 64 else {"str": value}
        case bytes():
            return {"bin": "ab", "times": len(value)} if len(value) > 64 else {"bin": value.hex()}
        case list():
            if len(value) > 64:
                return {"array": [tagged(value[0])], "times": len(value)}
            return {"array": [tagged(each) for each in value]}
    return {"map": [[k, tagged(value[k])] for k in sorted(value, key=str.encode)]}
