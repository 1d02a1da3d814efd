"""Your own encoder: any torch module that maps a batch of cells to one vector per row."""

import random
import tempfile
from pathlib import Path

from torch import Tensor, nn

import omnishot as om

PARTS = ("train", "train", "val", "test")  # no class is in two of them


class Wide(nn.Module):
    """Two layers. `modality` is the fitted modality of the input: `blank()` has the shape of its cells."""

    def __init__(self, modality, *, width: int = 32):
        super().__init__()
        inputs = modality.blank().flatten(1).shape[1]
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))


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
    run = om.train(
        rows, target="label", tabular={"encoder": Wide, "width": 16}, ways=3, shots=2, steps=steps, out=folder / "run"
    )
    print(run.evaluate(rows, episodes=20))
    model = om.Run.load(folder / "run").adapt(rows[:36])
    model.save(folder / "model.omni")
    print(om.load(folder / "model.omni").predict(rows[:3]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
