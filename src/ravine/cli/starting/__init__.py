"""Files that ``ravine new`` writes for users to change: they run as they are."""
