"""The store: Delta tables of accepted rows, read a bucket at a time."""

from leadscore.store.buckets import BucketTables, read_bucket
from leadscore.store.lake import Lake, open_lake, write_lock

__all__ = ["BucketTables", "Lake", "open_lake", "read_bucket", "write_lock"]
