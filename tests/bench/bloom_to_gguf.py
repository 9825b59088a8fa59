"""Writes a BLOOM checkpoint in llama.cpp's format, without its tokenizer: MODEL FILE."""

import json
import os
import struct
import sys

import gguf
import numpy

TYPES = {"F32": gguf.GGMLQuantizationType.F32, "F16": gguf.GGMLQuantizationType.F16, "BF16": gguf.GGMLQuantizationType.BF16}
OUTSIDE = {"word_embeddings": "token_embd", "word_embeddings_layernorm": "token_embd_norm", "ln_f": "output_norm"}
IN_A_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attention.query_key_value": "attn_qkv",
    "self_attention.dense": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.dense_h_to_4h": "ffn_up",
    "mlp.dense_4h_to_h": "ffn_down",
}


def tensors(folder):
    """Name, type and values of each tensor; those of bf16 as the words they are made of."""
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb") as file:
        (head_bytes,) = struct.unpack("<Q", file.read(8))
        head = json.loads(file.read(head_bytes))
    head.pop("__metadata__", None)
    for name, entry in head.items():
        words = numpy.dtype("<f4" if entry["dtype"] == "F32" else "<u2")
        offset = 8 + head_bytes + entry["data_offsets"][0]
        yield name.removeprefix("transformer."), entry["dtype"], numpy.memmap(path, words, "r", offset, tuple(entry["shape"]))


def renamed(name):
    stem, kind = name.rsplit(".", 1)
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.{kind}"
    _, layer, part = stem.split(".", 2)
    return f"blk.{layer}.{IN_A_LAYER[part]}.{kind}"


def queries_first(values, n_heads):
    """Rows [head, q|k|v, dim] become [q|k|v, head, dim]."""
    parts = values.reshape(n_heads, 3, -1, *values.shape[1:])
    return numpy.ascontiguousarray(parts.swapaxes(0, 1)).reshape(values.shape)


def widened(values, dtype):
    if dtype == "F16":
        return values.view("<f2").astype("<f4")
    return (values.astype("<u4") << 16).view("<f4") if dtype == "BF16" else values


def main():
    folder, to = sys.argv[1], sys.argv[2]
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    hidden, n_heads = config["hidden_size"], config["n_head"]
    writer = gguf.GGUFWriter(to + ".partial", "bloom")
    writer.add_context_length(2048)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(4 * hidden)
    writer.add_block_count(config["n_layer"])
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(n_heads)
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    for name, dtype, values in tensors(folder):
        if "query_key_value" in name:
            values = queries_first(values, n_heads)
        if values.ndim == 1:  # llama.cpp wants norms and biases in f32
            writer.add_tensor(renamed(name), widened(values, dtype))
        else:
            raw = values.view(numpy.uint8)
            writer.add_tensor(renamed(name), raw, raw_shape=raw.shape, raw_dtype=TYPES[dtype])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.rename(to + ".partial", to)


if __name__ == "__main__":
    main()
