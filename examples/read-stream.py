#!/usr/bin/env python3
"""Prints the examples of a token stream, written from man/pt-stream.5 alone: read-stream.py < STREAM. Counted tokens are in brackets."""
import json, struct, sys

M = (1 << 64) - 1
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P4, P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5

def rotate(x, n):
    return (x << n | x >> (64 - n)) & M

def step(lane, word):
    return rotate((lane + word * P2) & M, 31) * P1 & M

def xxh64(data, seed):
    lanes, at = [(seed + P1 + P2) & M, (seed + P2) & M, seed, (seed - P1) & M], 0
    for at in range(32, len(data) + 1, 32):
        lanes = [step(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at - 32))]
    h = (seed + P5) & M
    if at:
        h = sum(rotate(lane, n) for lane, n in zip(lanes, (1, 7, 12, 18))) & M
        for lane in lanes:
            h = ((h ^ step(0, lane)) * P1 + P4) & M
    h = (h + len(data)) & M
    while at + 8 <= len(data):
        h, at = (rotate(h ^ step(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & M, at + 8
    if at + 4 <= len(data):
        h, at = (rotate(h ^ struct.unpack_from("<I", data, at)[0] * P1 & M, 23) * P2 + P3) & M, at + 4
    for byte in data[at:]:
        h = rotate(h ^ byte * P5 & M, 11) * P1 & M
    h = (h ^ h >> 33) * P2 & M
    h = (h ^ h >> 29) * P3 & M
    return h ^ h >> 32

def read(n):
    data = sys.stdin.buffer.read(n)
    return data if len(data) == n else sys.exit("the stream is cut short")

def section(seed):
    header = read(40)
    kind, version, size, count, check = struct.unpack("<8sQQQQ", header)
    if check != xxh64(header[:32], seed) or version != 1:
        sys.exit("the stream is damaged, or of another version")
    payload, check2 = read(size), struct.unpack("<Q", read(8))[0]
    return (kind.decode().strip(), count, payload, check2) if check2 == xxh64(payload, check) else sys.exit("the stream is damaged")

magic = read(8)
while magic:
    kind, seed = ("", 0) if magic == b"\x89PTS\r\n\x1a\n" else sys.exit("not a token stream")
    while kind != "end":
        kind, count, payload, seed = section(seed)
        if kind == "head":
            print(json.loads(payload))
        elif kind != "end":
            at = 16 + 8 * struct.unpack_from("<Q", payload, 8)[0] if kind == "update" else 0
            words = iter(struct.unpack_from(f"<{(len(payload) - at) // 4 - 2 * count}I", payload, at + 8 * count))
            for length in struct.unpack_from(f"<{count}Q", payload, at):
                print(*(f"[{w & 0x7fffffff}]" if w >> 31 else w for _, w in zip(range(length), words)))
    magic = sys.stdin.buffer.read(8)
