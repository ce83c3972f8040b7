"""Whether the tests notice when a line of ravine is wrong: see ``__main__``."""
