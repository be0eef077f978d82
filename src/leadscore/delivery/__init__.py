"""Delivery: one slot as files, whole or not at all."""
