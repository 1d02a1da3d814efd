"""Your own objective: classification with the focal loss, which gives easy rows less weight."""

import random
import tempfile
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

import omnishot as om
from omnishot.objectives.classify import Classify

PARTS = ("train", "train", "val", "test")  # no class is in two of them


@om.register("objective", "focal")
class Focal(Classify):
    """The focal loss (Lin et al. 2017, section 3.2) with gamma 2."""

    def loss(self, prediction: Tensor, rows) -> Tensor:
        loss = F.cross_entropy(prediction, rows.target, reduction="none")
        return ((1 - (-loss).exp()) ** 2 * loss).mean()


def table(classes: int = 24, rows: int = 12) -> list[dict]:
    """Two numbers scattered around the centre of each class."""
    draw = random.Random(0)
    centres = [(draw.gauss(0, 3), draw.gauss(0, 3)) for _ in range(classes)]
    return [
        {"a": x + draw.gauss(0, 0.5), "b": y + draw.gauss(0, 0.5), "label": f"class {i}", "split": PARTS[i % 4]}
        for i, (x, y) in enumerate(centres)
        for _ in range(rows)
    ]


def main(folder: Path, steps: int = 100) -> None:
    """Train, evaluate, adapt, save, load and predict."""
    rows = table()
    run = om.train(rows, target="label", objective="focal", ways=3, shots=2, steps=steps, out=folder / "run")
    print(run.evaluate(rows, episodes=20))
    model = om.Run.load(folder / "run").adapt(rows[:36])
    model.save(folder / "model.omni")
    print(om.load(folder / "model.omni").predict(rows[:3]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
