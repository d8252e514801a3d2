"""Matrix factorisation: what ALS computes (als), where it runs (devices), how Spark distributes it (spark)."""
