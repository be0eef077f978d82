"""`report.html`: the slot as one file a browser opens without a network."""

from __future__ import annotations

from leadscore.delivery.page.page import write_page

__all__ = ["write_page"]
