"""Packed weights come out as they were put in, by a file of one small layer made here."""

import struct

import numpy as np

from musai.emotion.encoder import Encoder
from tests.benchmarks import small_e5

SIZE, HEADS, INNER, WORDS, PLACES, KINDS = 32, 2, 64, 3, 5, 2


def in_four_bits(numbers: np.ndarray) -> bytes:
    """Whole numbers from -8 to 7 with a scale of 1/2 a block: first half of a block in the low bits, then the other."""
    raised = (numbers.reshape(-1, 32) + 8).astype(np.uint8)
    scale = np.full((len(raised), 1), 0.5, "<f2").view(np.uint8)
    return np.hstack([scale, raised[:, :16] | raised[:, 16:] << 4]).tobytes()


def packed(tensors: dict[str, np.ndarray]) -> bytes:
    """With two tokens of three letters, a table of like characters, and the tensors after their directory."""
    head = b"E5S1" + struct.pack("<i", 1) + struct.pack("<7ifi", SIZE, 1, HEADS, INNER, WORDS, PLACES, KINDS, 1e-12, 32)
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, 6) + bytes(4 * 3) + bytes(4 * 2) + b"onetwo"
    head += struct.pack("<iI", 1, 7) + bytes(7) + struct.pack("<i", len(tensors))
    contents = {}
    for name, tensor in tensors.items():
        matrix = name == "emb.word" or (name.startswith("l0") and tensor.ndim == 2)
        contents[name] = in_four_bits(tensor) if matrix else tensor.astype("<f4").tobytes()
    at = len(head) + sum(2 + len(name) + 21 for name in tensors)
    for name, content in contents.items():
        entry = struct.pack("<BIQQ", 0, tensors[name].size, at, len(content))
        head += struct.pack("<H", len(name)) + name.encode() + entry
        at += len(content)
    return head + b"".join(contents.values())


def test_weights_are_unpacked_under_berts_names():
    rng = np.random.default_rng(0)
    shapes = {"emb.word": (WORDS, SIZE), "emb.pos": (PLACES, SIZE), "emb.type": (KINDS, SIZE), "emb.ln.w": (SIZE,),
              "emb.ln.b": (SIZE,)}  # fmt: skip
    for short, (outputs, inputs) in {"fi": (INNER, SIZE), "fo": (SIZE, INNER)}.items():
        shapes |= {f"l0.{short}.w": (outputs, inputs), f"l0.{short}.b": (outputs,)}
    for short in ("q", "k", "v", "ao"):
        shapes |= {f"l0.{short}.w": (SIZE, SIZE), f"l0.{short}.b": (SIZE,)}
    for short in ("aln", "oln"):
        shapes |= {f"l0.{short}.w": (SIZE,), f"l0.{short}.b": (SIZE,)}
    tensors = {name: rng.integers(-8, 8, shape).astype(np.float32) for name, shape in shapes.items()}
    settings, state = small_e5.unpacked(packed(tensors))
    wanted = Encoder(settings).state_dict()
    assert {name: tuple(one.shape) for name, one in wanted.items()} == {n: one.shape for n, one in state.items()}
    for name, short, scale in (
        ("embeddings.word_embeddings.weight", "emb.word", 0.5),
        ("embeddings.position_embeddings.weight", "emb.pos", 1),
        ("encoder.layer.0.attention.self.key.weight", "l0.k.w", 0.5),
        ("encoder.layer.0.output.dense.weight", "l0.fo.w", 0.5),
        ("encoder.layer.0.intermediate.dense.bias", "l0.fi.b", 1),
        ("encoder.layer.0.attention.output.LayerNorm.weight", "l0.aln.w", 1),
    ):
        np.testing.assert_array_equal(state[name], scale * tensors[short], err_msg=name)
