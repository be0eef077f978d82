"""A company that does not exist, with known truth: for the demo, and for tests that must know the answer."""

from leadscore.simulate.company import Company, simulate, write_truth
from leadscore.simulate.export import export

__all__ = ["Company", "export", "simulate", "write_truth"]
