"""Reading input files: which there are, their headers, their rows with file and line, and what cannot be read."""
