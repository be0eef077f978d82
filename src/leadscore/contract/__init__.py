"""Contract: what a good row is."""
