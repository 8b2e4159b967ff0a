"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a loaded machine breaks no rule
settings.load_profile("untimed")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    """The folder of the shared corpora; without it the test is skipped, in CI it fails."""
    if not SHARED.is_dir():
        if os.environ.get("DEESCALATE_SHARED") == "required":
            pytest.fail(f"the corpora are missing: {SHARED}")
        pytest.skip("the shared corpora are not beside the repository")
    return SHARED
