"""Start what a person, cron or a Prefect worker starts, and see what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))


@dataclass(frozen=True)
class Server:
    """A Prefect server on loopback, and the environment of those who use it."""

    api: str
    environment: dict[str, str]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask its API: GET without a body, POST with one."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.api}{path}", data, headers)  # noqa: S310 - a server of our own
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - same
            return json.load(answer)

    def prefect(self, *arguments: str) -> None:
        """Run a command of Prefect's in the checkout."""
        done = subprocess.run(
            [PREFECT, "--no-prompt", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def start(pipeline: str, *arguments: object, environment: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    """Start a pipeline from any folder."""
    return subprocess.Popen(
        [sys.executable, str(CHECKOUT / "pipelines" / f"{pipeline}.py"), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(pipeline: str, *arguments: object, environment: dict[str, str], cwd: Path) -> tuple[int, str, str]:
    """Run a pipeline to its end: exit code, standard output, standard error."""
    process = start(pipeline, *arguments, environment=environment, cwd=cwd)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def processes_with(setting: str) -> list[int]:
    """List the processes with a setting in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            settings = entry.read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or not ours
            continue
        if setting.encode() in settings:
            found.append(int(entry.parent.name))
    return found
