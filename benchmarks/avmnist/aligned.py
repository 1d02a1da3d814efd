"""Joint training of an image network that sounds of the same classes help to shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Params
from omnishot.learners.finetune import FineTune
from omnishot.modality.base import Modality
from omnishot.nn import encoders
from omnishot.nn.auxiliary import AUXILIARIES
from omnishot.nn.auxiliary.base import EncodedBatch
from omnishot.nn.heads import linear
from omnishot.nn.layers import LayerNorm, mask
from omnishot.nn.linear import Linear

DIM = 64  # of the space in which images and sounds meet


class Aligned(FineTune):
    """`finetune` on images, whose features also meet those of sounds in a space of their own.

    What tells digits apart is the very network and head that images alone are trained with: what images and sounds are
    compared by are projections of their features (Chen et al., SimCLR, ICML 2020, §4.2), used in training alone. Rows
    with a sound but no image count for the comparison only.
    """

    weights: dict[str, float]

    @classmethod
    def of(
        cls, plain: FineTune, sound: Modality, options: Mapping[str, Any], weights: Mapping[str, float], seed: int
    ) -> Aligned:
        """The learner `plain`, of images, with an encoder of sounds and auxiliary objectives of these weights."""
        plain.__class__ = cls
        assert isinstance(plain, Aligned)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            plain.ear = encoders.build(sound, **options)
            widths = (plain.network.out, plain.ear.out)
            plain.projections = nn.ModuleList(nn.Sequential(Linear(w, DIM), LayerNorm(DIM)) for w in widths)
            plain.terms = nn.ModuleDict({name: AUXILIARIES.load(name)(plain.network) for name in weights})
        plain.weights = dict(weights)
        return plain

    def joint_loss(self, task: Params, rows: Rows) -> Tensor:
        assert rows.label is not None
        (image, sound), label = rows.present.unbind(-1), rows.label
        features = self.features(task, rows)
        head = {name: task[self.joint_head + name] for name in ("weight", "bias")}
        loss = F.cross_entropy(linear(head, features[image]), label[image])
        heard = self.part("ear", task, rows.inputs[list(rows.inputs)[1]][sound])
        spread = heard.new_zeros(len(rows), heard.shape[-1]).index_copy(0, sound.nonzero()[:, 0], heard)
        both = [self.part(f"projections.{i}", task, x) for i, x in enumerate((features, spread))]
        embeddings = mask(torch.stack(both, -2), rows.present)[None]
        here = rows.present[None]
        batch = EncodedBatch(embeddings, here, embeddings, here, (label[:, None] == label[None, :])[None])
        for name, weight in self.weights.items():
            loss = loss + weight * self.part(f"terms.{name}", task, self.network, batch)[0]
        return loss
