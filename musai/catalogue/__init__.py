"""The catalogue of tracks: reading and checking it."""
