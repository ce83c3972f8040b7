"""What a race leaves on disk: the store, its folder, files, the payload, where it was made."""
