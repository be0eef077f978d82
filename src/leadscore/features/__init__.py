"""Features: what each snapshot looks like, exact in time."""
