"""What all tests share. Keep it small: a fixture that one room needs belongs in that room."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from probal.encoders import check_encoder_id
from probal.errors import UserError

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `embedded` where the extra is not installed; in CI its absence is a failure."""
    if os.environ.get("CI"):
        return
    try:
        check_encoder_id("embedded")
    except UserError as error:
        for item in items:
            if item.get_closest_marker("embedded"):
                item.add_marker(pytest.mark.skip(reason=str(error)))
