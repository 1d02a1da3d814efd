from __future__ import annotations

import torch
from support.fused import DIM, INPUTS, build


def test_concat_tells_absent_from_zero():
    fusion = build("concat", {})
    x, present = torch.zeros(2, INPUTS, DIM).double(), torch.ones(2, INPUTS, dtype=torch.bool)
    present[1, 2] = False
    out = fusion(x, present)
    assert torch.allclose(out[0] - out[1], fusion.mix.weight[:, INPUTS * DIM + 2])
