"""Track ids that stand for others (`inputs.aliases`)."""
