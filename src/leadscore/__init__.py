"""Batch lead scoring: interaction history in, ranked and explained list out."""

__version__ = "0.1.0"
