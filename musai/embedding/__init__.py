"""How tracks sound: decoding, rendering, log-mel, the networks, embeddings of tracks, and content to factors."""
