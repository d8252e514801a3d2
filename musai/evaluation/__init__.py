"""Measures of what the models make: pure functions over arrays that import no model."""
