"""The report: one self-contained, printable HTML file.

Its content security policy allows only its own scripts and style, by hash; data are read as JSON
and put on the page as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import Any

from ....models.files import finite

_WEB = resources.files(__package__) / "web"
_CHARTS = "vendor/echarts.common.min.js"
_PARTS = ("format.js", "charts.js", "summary.js", "loop.js", "calls.js", "main.js")


def render(found: dict[str, Any], title: str) -> bytes:
    """The report's bytes; `found` is the JSON result, with `levels` and `calls_told`."""
    style = _read("report.css")
    scripts = [_read(_CHARTS), "\n".join(_read(part) for part in _PARTS)]
    data = json.dumps(finite(found), allow_nan=False, separators=(",", ":"))
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; "
        f"style-src {_hash(style)}; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _read("report.html")
    for name, text in (
        ("policy", html.escape(policy, quote=True)),
        ("title", html.escape(title)),
        ("style", style),
        ("data", data.replace("<", "\\u003c")),
        ("charts", scripts[0]),
        ("script", scripts[1]),
    ):
        page = page.replace(f"{{{{{name}}}}}", text, 1)
    return page.encode()


def _read(name: str) -> str:
    """One of our files, with the line ends that a browser sees when it hashes the text."""
    text = _WEB.joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
    if "</script" in text.lower() and name.endswith(".js"):
        raise ValueError(f"{name} would end its own script element")
    return text


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
