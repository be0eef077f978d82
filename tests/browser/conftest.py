"""A browser for the page's tests: Debian's Chromium, one per module, its own policy in force."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS = {
    "light": {"viewport": {"width": 1366, "height": 900}},
    "dark": {"viewport": {"width": 1366, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
REFUSED = """
window.refused = [];
document.addEventListener('securitypolicyviolation', event => window.refused.push(event.effectiveDirective));
"""


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium")
    if program is None and os.environ.get("LEADSCORE_REQUIRE_BROWSER") == "1":
        pytest.fail("chromium is not here, and LEADSCORE_REQUIRE_BROWSER asks for it")
    if program is None:
        pytest.skip("chromium is not here; install Debian's package of that name")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """Open a file; at the end nothing may have run, asked for anything, been refused, or said anything."""

    @contextmanager
    def open_file(path, screen="light", **more):
        context = browser.new_context(**SCREENS[screen], **more)
        page, noticed = context.new_page(), []
        page.add_init_script(REFUSED)
        page.on("console", lambda message: noticed.append(("console", message.text)))
        page.on("pageerror", lambda error: noticed.append(("error", str(error))))
        page.on("dialog", lambda dialog: (noticed.append(("dialog", dialog.message)), dialog.dismiss()))
        page.on("request", lambda request: noticed.append(("request", request.url)))
        page.goto(path.as_uri())
        assert noticed.pop(0) == ("request", path.as_uri())
        if more.get("java_script_enabled", True):
            page.wait_for_selector("body[data-ready=yes]")
        yield page
        assert [one for one in noticed if one != ("request", "data:,")] == []
        assert page.evaluate("window.refused ?? []") == []
        context.close()

    return open_file
