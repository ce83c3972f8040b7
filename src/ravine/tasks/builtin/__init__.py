"""The tasks that ravine ships, one a file."""
