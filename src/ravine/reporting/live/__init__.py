"""A race while it runs: a live table on a terminal, a line now and then elsewhere."""
