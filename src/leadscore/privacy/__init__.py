"""Privacy: who said no."""
