"""Valence and arousal from words, notes and sound; labels, confidence and the models that ship."""
