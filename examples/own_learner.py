"""Your own learner: the nearest class mean by cosine similarity."""

import random
import tempfile
from pathlib import Path

import torch.nn.functional as F

import omnishot as om
from omnishot.nn.heads import class_means

PARTS = ("train", "train", "val", "test")  # no class is in two of them


@om.register("learner", "sphere")
class Sphere(om.Learner):
    """Cosine similarity to the class means.

    Args:
        scale: factor of the similarities before the softmax.
    """

    def __init__(self, network, objective, *, scale: float = 10.0):
        super().__init__(network, objective)
        self.scale = scale

    def fit(self, params, support):  # support rows -> a state, a tree of tensors
        features = F.normalize(self.features(params, support), dim=-1)
        return {"means": F.normalize(class_means(features, support.target, support.ways), dim=-1)}

    def predict(self, params, state, query):  # query rows -> logits [rows, ways]
        return self.scale * F.normalize(self.features(params, query), dim=-1) @ state["means"].T


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
    run = om.train(rows, target="label", learner="sphere", scale=8, ways=3, shots=2, steps=steps, out=folder / "run")
    print(run.evaluate(rows, episodes=20))
    model = om.Run.load(folder / "run").adapt(rows[:36])
    model.save(folder / "model.omni")
    print(om.load(folder / "model.omni").predict(rows[:3]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
