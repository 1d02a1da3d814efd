"""Warnings point at the user's line."""

from __future__ import annotations

import warnings

import pytest

from omnishot.core.warn import warn_user


def test_the_nearest_line_outside_of_the_package_is_named():
    inside: dict = {"__name__": "omnishot.inner", "warn_user": warn_user}
    exec("def deep():\n    warn_user('look')\n\ndef public():\n    deep()\n", inside)  # two frames of the package
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inside["public"]()
    (warning,) = caught
    assert warning.filename == __file__
    with pytest.warns(UserWarning, match="look"):
        warn_user("look")
