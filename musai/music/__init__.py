"""Symbolic music: notes on a grid, MIDI in and out, keys, rolls, tokens, n-grams."""
