"""Scoring: readiness, rank, grade and reasons of the leads at risk at one moment."""
