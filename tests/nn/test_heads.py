"""Heads of one linear layer."""

from __future__ import annotations

import pytest

from omnishot.nn.heads import PrototypeHead


@pytest.mark.parametrize(("scale", "expected"), [(None, 0.5), (0.0, 0.0), (2.0, 2.0)])
def test_a_prototype_head_has_the_scale_that_is_given(scale, expected):
    assert PrototypeHead(4, scale).scale == expected
