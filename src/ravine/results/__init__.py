"""What a finished race or ablation is, and its best model."""
