"""Runs that the tests of explanations share."""

from __future__ import annotations

from support.page_runs import every_kind as every_kind
from support.page_runs import numbers as numbers
