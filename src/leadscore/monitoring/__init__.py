"""Monitoring: what moved, what came of earlier lists, and the gate that decides."""
