"""Functions of a few variables, and walking down them."""
