"""A rule as other software knows it."""
