"""Your own fusion: the mean of the embeddings that are present."""

import random
import tempfile
from pathlib import Path

from torch import Tensor, nn

import omnishot as om

PARTS = ("train", "train", "val", "test")  # no class is in two of them


class Vote(om.Fusion):
    """The mean of the present embeddings, through one layer.

    Args:
        slope: of the layer's leaky rectifier.
    """

    def __init__(self, inputs: int, dim: int, *, slope: float = 0.1):
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(dim, dim), nn.LeakyReLU(slope))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        count = present.sum(-1, keepdim=True).clamp(min=1)  # absent embeddings are zero
        return self.layer(embeddings.sum(-2) / count)


def table(classes: int = 24, rows: int = 12) -> list[dict]:
    """A number scattered around the centre of each class, and words that depend on the class."""
    draw = random.Random(0)
    centres = [(draw.gauss(0, 3), draw.gauss(0, 3)) for _ in range(classes)]
    words = [f"{'far' if abs(y) > 3 else 'near'} {i % 3}" for i, (_, y) in enumerate(centres)]
    return [
        {"a": x + draw.gauss(0, 0.5), "words": words[i], "label": f"class {i}", "split": PARTS[i % 4]}
        for i, (x, _) in enumerate(centres)
        for _ in range(rows)
    ]


def main(folder: Path, steps: int = 100) -> None:
    """Train, evaluate, adapt, save, load and predict."""
    rows = table()
    options = {"modality": {"words": "text"}, "fusion": Vote, "fuse": {"slope": 0.2}, "dim": 16}
    run = om.train(rows, target="label", **options, ways=3, shots=2, steps=steps, out=folder / "run")
    print(run.evaluate(rows, episodes=20))
    model = om.Run.load(folder / "run").adapt(rows[:36])
    model.save(folder / "model.omni")
    print(om.load(folder / "model.omni").predict(rows[:3]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
