"""Who else can train many small networks: a family a file, each run in processes of its own."""
