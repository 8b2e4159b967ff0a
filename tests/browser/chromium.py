"""What browser tests need beside the package: Playwright, Chromium, the demo's extra, npm.

Tests skip where a part is missing; with DEESCALATE_BROWSER=required they fail.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Give up on a test, or on a whole module, because of what is not on this machine."""
    if os.environ.get("DEESCALATE_BROWSER") == "required":
        pytest.fail(f"{what}, and the browser tests are required", pytrace=False)
    pytest.skip(what, allow_module_level=True)


def program(*names: str) -> str:
    """The path of the first of these programs that there is."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or missing(f"there is no {names[0]} on this machine")


for _module in ("aiortc", "espeakng_loader", "fastapi", "pocketsphinx"):
    if importlib.util.find_spec(_module) is None:
        missing(f"{_module} of the extra demo is not installed")
try:
    from playwright.sync_api import (
        Browser,
        ConsoleMessage,
        Page,
        Playwright,
        Route,
        expect,
        sync_playwright,
    )
except ImportError:
    missing("playwright is not installed")

CHROMIUM = program("chromium", "chromium-browser", "google-chrome")

__all__ = [
    "CHROMIUM",
    "Browser",
    "ConsoleMessage",
    "Page",
    "Playwright",
    "Route",
    "expect",
    "missing",
    "program",
    "sync_playwright",
]
