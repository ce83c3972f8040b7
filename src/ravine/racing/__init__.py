"""From a plan to stored curves."""
