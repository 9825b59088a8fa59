#!/usr/bin/env python3
"""Which headers of safetensors files are accepted, against the safetensors package.

    tests/compare-safetensors.py [--bin DIR]

Each case is written as the model.safetensors of a folder that pt-info describes. Needs Python's safetensors. Prints TAP; a case that is
decided otherwise on purpose says why. Not part of `make check`, which needs no Python.
"""
import argparse
import os
import struct
import subprocess
import sys
import tempfile

import safetensors

FOREIGN = {"F4": 0.5, "F6_E2M3": 0.75, "F6_E3M2": 0.75, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "C64": 8}
OURS = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}


def tensor(dtype='"F32"', shape="[1]", offsets="[0,4]", more=""):
    return f'{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{more}}}'


def cases():
    """Name, header, bytes of data, and the reason for a deviation, if there is one."""
    plain = '{"a":' + tensor() + "}"
    for name, text in {"nothing": "", "blank": " ", "tab": "\t", "carriage return": "\r", "line feed": "\n", "byte order mark": "\ufeff",
                       "form feed": "\f", "no-break space": "\u00a0", "NUL": "\0", "comment": "/**/", "letter": "x", "object": "{}"}.items():
        yield f"{name} in front", text + plain, 4, None
        yield f"{name} behind", plain + text, 4, None
    for name, header in {"nothing": "", "array": "[]", "string": '"a"', "number": "12", "cut": '{"a":', "comma": plain[:-1] + ",}"}.items():
        yield f"header: {name}", header, 4 if name == "comma" else 0, None
    yield "no tensor", "{}", 0, None
    yield "no tensor, data", "{}", 1, None
    for size in (0, 3, 5):
        yield f"{size} bytes of data for 4", plain, size, None
    for name, value, why in (
            ("null", "null", None), ("empty", "{}", None), ("one", '{"a":"b"}', None), ("number", '{"a":1}', None), ("null inside", '{"a":null}', None),
            ("array", "[]", None), ("lone surrogate", '{"a":"\\ud800"}', None), ("pair of surrogates", '{"a":"\\ud83d\\ude00"}', None),
            ("NUL", '{"a":"\\u0000"}', "no text of ours holds a NUL"), ("twice", '{"a":"b","a":"c"}', "duplicate keys are ambiguous")):
        yield f"metadata: {name}", f'{{"__metadata__":{value},"a":{tensor()}}}', 4, why
    yield "metadata twice", f'{{"__metadata__":{{}},"__metadata__":{{}},"a":{tensor()}}}', 4, None
    yield "same name twice", f'{{"a":{tensor()},"a":{tensor()}}}', 4, "duplicate keys are ambiguous"
    yield "name: NUL", f'{{"a\\u0000":{tensor()}}}', 4, "no name of ours holds a NUL"
    for name, text in {"empty": "", "escaped line feed": "\\n", "raw line feed": "\n", "lone surrogate": "\\udc00"}.items():
        yield f"name: {name}", f'{{"{text}":{tensor()}}}', 4, None
    yield "array for a tensor", '{"a":["F32",[1],[0,4]]}', 4, "a tensor is described by an object"
    for name, value in {"null": "null", "number": "1", "no dtype": '{"shape":[1],"data_offsets":[0,4]}', "no shape": '{"dtype":"F32","data_offsets":[0,4]}',
                        "no offsets": '{"dtype":"F32","shape":[1]}', "another key": tensor(more=',"x":{"y":[1]}'),
                        "dtype twice": tensor(more=',"dtype":"F32"'), "infinite": tensor(more=',"x":1e400')}.items():
        yield f"tensor: {name}", f'{{"a":{value}}}', 0 if name == "null" else 4, None
    yield "tensor: large integer elsewhere", f'{{"a":{tensor(more=",%sx%s:%s" % (chr(34), chr(34), "9" * 30))}}}', 4, "integers beyond 64 bits"
    yield "tensor: nested 200 deep", f'{{"a":{tensor(more=",%sx%s:" % (chr(34), chr(34)) + "[" * 200 + "]" * 200)}}}', 4, "deeper nesting does no harm"
    for offsets in ("[4,0]", "[4,8]", "[0,4,4]", "[0]", "[0,4.0]", "[0.0,4]", "[0,4e0]", "[-1,4]", '["0","4"]', "[false,4]", "[0,18446744073709551615]",
                    "[0,18446744073709551620]", "null"):
        yield f"offsets {offsets}", f'{{"a":{tensor(offsets=offsets)}}}', 8 if offsets == "[4,8]" else 4, None
    yield "offsets [-0,4]", f'{{"a":{tensor(offsets="[-0,4]")}}}', 4, "-0 is 0"
    for name, offsets, size in (("overlap", "[2,6]", 6), ("hole", "[8,12]", 12), ("the same place", "[0,4]", 4), ("behind", "[4,8]", 8)):
        yield f"two tensors: {name}", f'{{"b":{tensor(offsets=offsets)},"a":{tensor()}}}', size, None
    for place in (0, 2, 4, 5, 2**64 - 1):
        yield f"no elements at {place}", f'{{"a":{tensor()},"b":{tensor(shape="[0]", offsets=f"[{place},{place}]")}}}', 4, None
    yield "unaligned", f'{{"a":{tensor(chr(34) + "U8" + chr(34), offsets="[0,1]")},"b":{tensor(offsets="[1,5]")}}}', 5, None
    most = 2**63 - 1
    for shape in ("[]", "[2]", "[1.0]", "[-1]", '"1"', "null", "[null]", f"[{most},{most}]", f"[{2 * most + 1}]", "[1,1,1,1,1,1,1,1]"):
        yield f"shape {shape}", f'{{"a":{tensor(shape=shape)}}}', 4, None
    for shape in ("[0]", f"[0,{most}]", f"[{most},2,0]", f"[{most},{most},0]"):
        yield f"shape {shape}", f'{{"a":{tensor(shape=shape, offsets="[0,0]")}}}', 0, None
    yield "shape of 9 dimensions", f'{{"a":{tensor(shape="[1,1,1,1,1,1,1,1,1]")}}}', 4, "at most 8 dimensions"
    yield f"shape [{2 * most + 1},0]", f'{{"a":{tensor(shape=f"[{2 * most + 1},0]", offsets="[0,0]")}}}', 0, "integers beyond 63 bits"
    for dtype, size in {**OURS, **FOREIGN, "f32": 4, "": 4, "F128": 16}.items():
        text = tensor(f'"{dtype}"', "[8]", f"[0,{int(8 * size)}]")
        yield f"dtype {dtype}", f'{{"a":{text}}}', int(8 * size), "not supported, exit 4" if dtype in FOREIGN else None
    for dtype in ("null", "1"):
        yield f"dtype {dtype}", f'{{"a":{tensor(dtype)}}}', 4, None
    yield "dtype as an object", f'{{"a":{tensor(chr(123) + chr(34) + "F32" + chr(34) + ":null" + chr(125))}}}', 4, "a dtype is a string"


def reference_takes(path):
    try:
        with safetensors.safe_open(path, "numpy") as file:
            file.metadata()
        return True
    except safetensors.SafetensorError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default="bin")
    options = parser.parse_args()
    failures = number = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        with open(os.path.join(folder, "config.json"), "w", encoding="utf8") as file:
            file.write('{"model_type": "none"}')
        for number, (name, header, size, why) in enumerate(cases(), 1):
            with open(path, "wb") as file:
                file.write(struct.pack("<Q", len(header.encode("utf8"))) + header.encode("utf8") + bytes(size))
            status = subprocess.run([os.path.join(options.bin, "pt-info"), folder], check=False, capture_output=True).returncode
            expected = reference_takes(path)
            good = status in (0, 3, 4) and ((status == 0) == expected) == (why is None)
            failures += not good
            print("ok" if good else "not ok", number, "-", name + (f": {why}" if why else ""), "" if good else f"({status}, the reference {expected})")
    print(f"1..{number}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
