"""Rows with missing cells: from a list of dicts to a saved model that is loaded again."""

import random
import tempfile
from pathlib import Path

import omnishot as om

PARTS = ("train", "train", "val", "test")  # no class is in two of them


def make_table(classes: int = 24, rows: int = 12) -> list[dict]:
    """A number, some words and a short series per row; each cell is missing (None) with probability 0.3."""
    draw = random.Random(0)
    table = []
    for i in range(classes):
        centre = draw.gauss(0, 3)
        for _ in range(rows):
            cells = {
                "weight": centre + draw.gauss(0, 0.5),
                "note": f"{'heavy' if centre > 0 else 'light'} {i % 4}",
                "sensor": [centre + i % 3 * step + draw.gauss(0, 0.3) for step in range(8)],
            }
            cells = {name: None if draw.random() < 0.3 else value for name, value in cells.items()}
            table.append(cells | {"label": f"class {i}", "split": PARTS[i % 4]})
    return table


def main(folder: Path, steps: int = 100) -> None:
    """Train, evaluate, adapt, save, load and predict."""
    table = make_table()
    run = om.train(
        table,
        target="label",
        modality={"note": "text", "sensor": "series"},
        imputation="placeholder",  # a learned vector in place of a missing input; `omnishot list imputers` shows others
        dropout=0.2,  # in training, each input is also removed with this probability
        dim=16,
        ways=3,
        shots=2,
        steps=steps,
        skip_bad=True,  # leave out the rows of which every cell is missing
        out=folder / "run",
    )
    print(run.evaluate(table, episodes=20))
    print(run.evaluate(table, episodes=20, missing={"sensor": 1.0}))  # the sensor fails entirely

    model = run.adapt(table[:36])  # three classes, twelve rows each
    model.save(folder / "model.omni")
    loaded = om.load(folder / "model.omni")
    rows = [{"weight": 1.5}, {"note": "heavy 1"}, {}]  # a row without a cell is predicted too
    assert (loaded.predict_proba(rows) == model.predict_proba(rows)).all()
    print(loaded.predict(rows), loaded.predict_proba(rows).round(2))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
