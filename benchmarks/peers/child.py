"""A peer's process: gets the setting, makes ready, then trains the seeds it is sent."""

import importlib
import json
import os
import sys
import warnings

from ravine.execution.worker import receive, send


def main(family: str, cores: str, options: str) -> None:
    """Serve until the other end closes the pipe."""
    # Before anything is imported that sizes its thread pool by this.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, json.loads(cores))
    warnings.simplefilter("ignore")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # progress bars and the like are no answers
    setting = receive(sys.stdin.buffer)
    train = importlib.import_module(f"peers.{family}").prepare(setting, **json.loads(options))
    send(replies, "ready")
    while True:
        try:
            seeds = receive(sys.stdin.buffer)
        except EOFError:
            return
        send(replies, train(seeds))


if __name__ == "__main__":
    main(*sys.argv[1:])
