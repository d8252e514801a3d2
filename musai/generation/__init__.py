"""New music: networks, sampling, what is refused, and where each track comes from."""
