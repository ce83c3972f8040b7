"""Commands of the command line, a file a kind; ``cli`` lists them."""
