"""How often a verdict errs, and how much it decides: whole races, resampled from stored curves."""
