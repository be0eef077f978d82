"""The leak guard: what a training is about to learn from must have been known before the outcome.

`inspect_bucket` looks at a bucket, its evidence adds up over buckets, and `examine` says what it amounts to, beside the
examples; `examine_columns` does what can be done for a flat table. `refusal` says which findings stop a training.
"""

from __future__ import annotations

from leadscore.model.guard.evidence import Evidence, inspect_bucket
from leadscore.model.guard.findings import examine, examine_columns
from leadscore.model.guard.leak import Leak, Refusal, refusal

__all__ = ["Evidence", "Leak", "Refusal", "examine", "examine_columns", "inspect_bucket", "refusal"]
