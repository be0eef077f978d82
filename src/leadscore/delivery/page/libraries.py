"""The libraries of the page, as installed packages bring them along, and the policy that lets only them run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import vl_convert


@lru_cache(maxsize=1)
def table_library() -> str:
    """Return DataTables as a script that leaves `itables` behind.

    Itables ships it as a module; a module's exports cannot be reached from a script whose digest is all that lets it
    run, so the last statement is rewritten.
    """
    module = (files("itables") / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    script, exports = re.subn(r"export\{([^}]*)\};", _exports, module)
    assert exports == 1, "itables ships its bundle in another form than its pinned version did"
    return f'(()=>{{"use strict";{script}\n}})();'


def _exports(found: re.Match[str]) -> str:
    pairs = (pair.split(" as ") for pair in found[1].split(","))
    return "globalThis.itables={" + ",".join(f"{public}:{private}" for private, public in pairs) + "};"


@lru_cache(maxsize=1)
def table_style() -> str:
    """Return the style sheet of DataTables."""
    return (files("itables") / "html" / "dt_bundle.css").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def chart_library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as a script that leaves `vegaEmbed` behind."""
    return f"(()=>{{{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;')}\n}})();"


def pack(text: str) -> str:
    """Compress a text into letters that mean nothing to an HTML parser; the same text always into the same letters."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def policy(scripts: Sequence[str], style: str) -> str:
    """Return the Content-Security-Policy under which these texts may run or apply, and nothing else may.

    The digests of packed scripts are those of the unpacked text: an altered one does not run.
    """
    allowed = " ".join(_digest(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
