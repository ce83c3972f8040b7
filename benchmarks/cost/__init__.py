"""What ``scaling.py`` measures, and how it is shown."""
