"""Where ravine keeps what is worth keeping between races."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$RAVINE_CACHE, or the user's cache."""
    import platformdirs

    return Path(os.environ.get("RAVINE_CACHE") or platformdirs.user_cache_path("ravine"))
