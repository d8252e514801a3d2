"""MusAI: the nightly batch engine of a music service. What is heavy is loaded when it is first used."""

__version__ = "0.1.0"
