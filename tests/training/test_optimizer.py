"""What the outer optimiser does with its options."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support import tables

from omnishot.runs.run import Run
from omnishot.training.train import train


def after_one_step(table: Path, out: Path, **options) -> Run:
    once = {**tables.QUICK, "learner": "protonet", "steps": 1, "warmup": 0, "schedule": "constant"}
    return train(table, target="species", out=out, **once, **options)


def test_weight_decay_shrinks_every_parameter(birds: Path, tmp_path: Path, monkeypatch) -> None:
    own, before = torch.optim.AdamW.step, []

    def step(self, *args, **kwargs):
        before[:] = [p.detach().clone() for group in self.param_groups for p in group["params"]]
        return own(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    lr, decay = 0.01, 0.3
    plain = after_one_step(birds, tmp_path / "plain", lr=lr)
    decayed = after_one_step(birds, tmp_path / "decayed", lr=lr, weight_decay=decay)
    for initial, kept, shrunk in zip(before, plain.learner.parameters(), decayed.learner.parameters(), strict=True):
        assert torch.allclose(shrunk - kept, -lr * decay * initial, atol=1e-6)  # decoupled: AdamW, Loshchilov 2019


@pytest.mark.parametrize("clip", [1e-3, 1e3])
def test_the_meta_gradient_is_clipped_to_the_norm_given(birds: Path, tmp_path: Path, monkeypatch, clip: float) -> None:
    own, norms = torch.optim.AdamW.step, []

    def step(self, *args, **kwargs):
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(grads)))
        return own(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    after_one_step(birds, tmp_path / "run", clip=clip)
    (norm,) = norms
    if clip < 1:
        assert norm == pytest.approx(clip, rel=1e-3)
    else:
        assert 1e-3 < norm < clip  # what is small stays as it is
