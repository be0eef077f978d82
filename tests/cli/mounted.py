"""Run commands on small or read-only disks: a script for a mount namespace of its own, which ends with it.

In: a list of (folder of the disk, options of its mount, words of the command) as JSON. Out: for each what the command
said and left on the disk, then what it said again after the disk was made large and writable.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cli.commands import command


def on_disk(folder, options, words):
    """Mount a disk on a new folder, run, mend the disk, and run again."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    first = command(*words)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    subprocess.run(["mount", "-o", "remount,rw,size=64m", str(folder)], check=True)
    again = command(*words)
    after = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return {"first": vars(first), "left": left, "again": vars(again), "after": after}


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read())
    print(json.dumps([on_disk(Path(folder), options, words) for folder, options, words in asked]))
