"""The user-item matrix: dense indexes, weighting, and its way from Parquet into CSR."""
