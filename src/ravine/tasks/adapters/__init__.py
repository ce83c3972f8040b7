"""What users bring: their model, their data, their losses, as a task."""
