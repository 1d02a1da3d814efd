"""Interrupt a training and resume it to the same result; then compare two learners under one budget."""

import random
import signal
import tempfile
import threading
import time
from pathlib import Path

import omnishot as om

PARTS = ("train", "train", "val", "test")  # no class is in two of them


def make_table(classes: int = 24, rows: int = 12) -> list[dict]:
    """Two numbers scattered around the centre of each class."""
    draw = random.Random(0)
    centres = [(draw.gauss(0, 3), draw.gauss(0, 3)) for _ in range(classes)]
    return [
        {"a": x + draw.gauss(0, 0.5), "b": y + draw.gauss(0, 0.5), "label": f"class {i}", "split": PARTS[i % 4]}
        for i, (x, y) in enumerate(centres)
        for _ in range(rows)
    ]


def interrupt_after_first_step(run: Path) -> None:
    """As Ctrl-C does, which a user presses: training saves where it is and raises an error that says how to resume."""
    log = run / "metrics.jsonl"
    while not (log.exists() and log.read_text()):
        time.sleep(0.01)
    signal.raise_signal(signal.SIGINT)


def main(folder: Path, steps: int = 60) -> None:
    """Train twice, once with an interruption; compare; then compare two learners."""
    table = make_table()
    options = {"target": "label", "ways": 3, "shots": 2, "device": "cpu"}
    whole = om.train(table, steps=steps, out=folder / "whole", **options)

    threading.Thread(target=interrupt_after_first_step, args=[folder / "parts"], daemon=True).start()
    try:
        om.train(table, steps=steps, out=folder / "parts", **options)
    except om.OmnishotError as error:
        print(error)  # "stopped at step … of …"
    resumed = om.train(table, out=folder / "parts", resume=True)  # the run's own options

    figures = [run.evaluate(table, episodes=20).mean for run in (whole, resumed)]
    print("accuracy without and with the interruption:", figures)
    assert figures[0] == figures[1]

    compared = om.compare(
        table, out=folder / "compared", learners=["protonet", "maml"], steps=10, episodes=20, **options
    )
    print(compared)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
