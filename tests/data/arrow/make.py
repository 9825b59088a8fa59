#!/usr/bin/env python3
"""Writes the files of this folder: needs `datasets` and `pyarrow`. Usage: make.py FOLDER"""

import datetime
import decimal
import json
import os
import sys

import datasets
import pyarrow as pa
from datasets import Dataset, DatasetDict, Features, Json, List, Value

out = sys.argv[1]
datasets.disable_progress_bars()


def lines(name, records):
    with open(os.path.join(out, name + ".jsonl"), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def write(name, batches, new=pa.ipc.new_stream, **options):
    options = pa.ipc.IpcWriteOptions(**options)
    with new(os.path.join(out, name + ".arrow"), batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write(batch)


# A dataset of two data files.
alpaca = [
    {"instruction": "Say it.", "input": None, "output": "It."},
    {"instruction": " 你好 ", "input": "", "output": "</s>é🙂"},
    {"instruction": "a\n\"b\"", "input": "c", "output": ""},
    {"instruction": "1+1?", "input": "in words", "output": "two"},
    {"instruction": "", "input": " ", "output": "end"},
]
text = Features({"instruction": Value("string"), "input": Value("large_string"), "output": Value("string")})
Dataset.from_list(alpaca, features=text).save_to_disk(os.path.join(out, "alpaca"), num_shards=2)
lines("alpaca", alpaca)

# Several datasets.
splits = {name: Dataset.from_list(alpaca[:1], features=text) for name in ("train", "test")}
DatasetDict(splits).save_to_disk(os.path.join(out, "splits"))

# Ready-made ids, as a selection of rows left them.
ids = [{"input_ids": list(range(5, 5 + n)), "labels": [-100] * min(n, 2) + list(range(7, 5 + n))} for n in range(6)]
kinds = Features({"input_ids": List(Value("int32")), "labels": List(Value("int64"))})
Dataset.from_list(ids, features=kinds).select([4, 2, 5]).save_to_disk(os.path.join(out, "ids"))
lines("ids", [ids[4], ids[2], ids[5]])

# One column of each type that is read, then one of each that is not; three batches, one of them empty.
N = 5
READ = {
    "null": pa.nulls(N),
    "bool": pa.array([True, None, False, True, False]),
    "int8": pa.array([-128, 127, None, 0, 1], pa.int8()),
    "uint16": pa.array([0, 65535, None, 1, 2], pa.uint16()),
    "int32": pa.array([-(2**31), 2**31 - 1, 0, None, 5], pa.int32()),
    "uint64": pa.array([0, 2**63 - 1, None, 1, 2], pa.uint64()),
    "float": pa.array([0.5, -1.25, None, float("nan"), float("inf")], pa.float32()),
    "double": pa.array([0.1, -1e300, None, 2.0, 3.0], pa.float64()),
    "utf8": pa.array(["", "a", None, "é\0🙂", "longer than twelve bytes"]),
    "large_utf8": pa.array(["b", None, "", "c", "d"], pa.large_string()),
    "utf8_view": pa.array(["short", "longer than twelve bytes", None, "twelve bytes", ""], pa.string_view()),
    "dictionary": pa.array(["x", "y", None, "x", "x"]).dictionary_encode(),
    "list": pa.array([[1], [], None, [2, None], [3, 4, 5]], pa.list_(pa.int16())),
    "large_list": pa.array([["p"], [], None, ["q", None], [""]], pa.large_list(pa.string())),
    "fixed_size_list": pa.array([[1, 2], None, [3, 4], [5, None], [6, 7]], pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"a": 1, "b": "s"}, None, {"a": None, "b": None}, {"a": 2, "b": ""}, {"a": 3, "b": "t"}]),
    "structs": pa.array([[{"role": "user"}], [], None, [None, {"role": None}], [{"role": "x"}, {"role": "y"}]]),
    "json": pa.array(['{"k": [1, null]}', None, "[]", '"text"', "1.5"], pa.json_()),
}
NOT_READ = {
    "binary": pa.array([b"1"] * N),
    "large_binary": pa.array([b"1"] * N, pa.large_binary()),
    "binary_view": pa.array([b"longer than twelve bytes"] * N, pa.binary_view()),
    "fixed_size_binary": pa.array([b"12"] * N, pa.binary(2)),
    "halffloat": pa.array([0.5] * N, pa.float16()),
    "decimal": pa.array([decimal.Decimal("1.5")] * N),
    "date": pa.array([datetime.date(2026, 1, 1)] * N),
    "time": pa.array([datetime.time(1)] * N),
    "timestamp": pa.array([datetime.datetime(2026, 1, 1)] * N),
    "duration": pa.array([datetime.timedelta(1)] * N),
    "interval": pa.array([pa.MonthDayNano([1, 2, 3])] * N),
    "map": pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int8())),
    "list_view": pa.array([[1]] * N, pa.list_view(pa.int8())),
    "large_list_view": pa.array([[1]] * N, pa.large_list_view(pa.int8())),
}
table = pa.table({**READ, **NOT_READ, "behind": pa.array(list("vwxyz"))})
batches = [table.to_batches()[0].slice(at, n) for at, n in ((0, 2), (2, 0), (2, 3))]
write("shapes", batches)
write("shapes-file", batches, pa.ipc.new_file)
records = table.select(list(READ)).to_pylist()
for record, behind in zip(records, "vwxyz"):
    record.update({name: {} for name in NOT_READ}, behind=behind)
    record["json"] = None if record["json"] is None else json.loads(record["json"])
    record["float"] = record["float"] if record["float"] in (0.5, -1.25) else None  # as JSON has no NaN
lines("shapes", records)

# Columns that nobody asks for, of types that are not read at all, and numbers beyond 64 bits.
numbers = [2**63 - 1, 2**63, 2**64 - 1]
unused = pa.table({
    "instruction": pa.array(["a", "b", "c"]),
    "sparse": pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["x", "y", "z"])]),
    "dense": pa.UnionArray.from_dense(pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["x"])]),
    "run_ends": pa.RunEndEncodedArray.from_arrays([2, 3], ["x", None]),
    "uint64": pa.array(numbers, pa.uint64()),
    "json": pa.array([str(n) for n in numbers], pa.json_()),
    "output": pa.array(["d", "e", "f"]),
})
write("unused", unused.to_batches())
lines("unused", [{"instruction": i, "sparse": {}, "dense": {}, "run_ends": {}, "uint64": n, "json": n, "output": o}
                 for i, n, o in zip("abc", numbers, "def")])


def messages(stream):
    """The messages of a stream, each with its body."""
    at = 0
    while at < len(stream):
        message = pa.ipc.read_message(pa.BufferReader(stream[at:])) if stream[at + 4:at + 8] != bytes(4) else None
        n = 8 + int.from_bytes(stream[at + 4:at + 8], "little") + (message.body.size if message else 0) if message else 8
        yield stream[at:at + n]
        at += n


# Two columns with one dictionary: made of a stream with two, as pyarrow does not write it.
sink = pa.BufferOutputStream()
words = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), ["x", "a word longer than twelve bytes"])
with pa.ipc.new_stream(sink, pa.schema([("one", words.type), ("two", words.type)])) as writer:
    writer.write(pa.record_batch({"one": words, "two": words.take(pa.array([1, 0, 1]))}))
schema, first, second, *rest = messages(sink.getvalue().to_pybytes())
one = (1).to_bytes(8, "little")
assert schema.count(one) == 1
with open(os.path.join(out, "shared-dictionary.arrow"), "wb") as file:
    file.write(schema.replace(one, bytes(8)) + first + b"".join(rest))
both = words.to_pylist()
lines("shared-dictionary", [{"one": a, "two": b} for a, b in zip(both, [both[1], both[0], both[1]])])

# Small enough to be damaged in every place.
small = pa.record_batch({"instruction": pa.array(["a", None]), "output": pa.array(["b", "c"]).dictionary_encode(),
                         "ids": pa.array([[1, 2], [3]]), "view": pa.array(["longer than twelve bytes"] * 2, pa.string_view())})
write("small", [small])
write("small-file", [small], pa.ipc.new_file)

# What is refused.
os.makedirs(os.path.join(out, "refused"), exist_ok=True)
plain = pa.record_batch({"output": pa.array(["a" * 100])})
write("refused/lz4", [plain], compression="lz4")
write("refused/zstd", [plain], compression="zstd")
grown = [pa.record_batch({"d": pa.DictionaryArray.from_arrays([0], values)}) for values in (["a"], ["a", "b"])]
write("refused/delta", grown, emit_dictionary_deltas=True)
write("refused/bytes", [pa.record_batch({"output": pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"]).buffers())})])
many = pa.ListArray.from_arrays(pa.array([0, 2**31 - 1], pa.int32()), pa.nulls(2**31 - 1))
write("refused/many-nulls", [pa.record_batch({"input_ids": many})])
n_objects = 5_000_000
objects = pa.StructArray.from_buffers(pa.struct([]), n_objects, [None], children=[])
many = pa.ListArray.from_arrays(pa.array([0, n_objects], pa.int32()), objects)
write("refused/many-objects", [pa.record_batch({"input_ids": many})])
deep = pa.int8()
for _ in range(70):
    deep = pa.list_(deep)
pa.ipc.new_stream(os.path.join(out, "refused/deep.arrow"), pa.schema([("d", deep)])).close()
write("refused/twins", [pa.record_batch([pa.array(["a"]), pa.array(["b"])], names=["output", "output"])])
write("refused/no-row", [plain.slice(0, 0)])
