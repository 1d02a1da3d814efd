"""The world `driving`: camera, radar and motion of many vehicles, each with its own calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from omnishot.errors import UsageError
from omnishot.table.encoding import encode_npy, encode_png
from omnishot.table.writing import TableWriter
from omnishot.worlds.driving.camera import view
from omnishot.worlds.driving.sensors import alive, motion, radar
from omnishot.worlds.driving.vehicles import collision, draw_moment, draw_vehicle, steering
from omnishot.worlds.ranges import check_range

SENSORS = ("camera", "radar", "motion")
PARTS = ("test", "val", "test", *("train",) * 7)  # the vehicles take these splits in turn


def make(
    out: str | Path,
    *,
    seed: int = 0,
    vehicles: int = 120,
    rows_per_vehicle: int = 40,
    failures: float = 0.0,
    progress: bool = False,
) -> Path:
    """Simulated drives: camera, radar and motion of a vehicle, its steering angle, and its time to collision.

    Columns: `camera` (72 x 48 PNG), `radar` (a range profile: 64 bins of 2 m, power and speed), `motion` (the last two
    seconds: speed, heading, acceleration), two targets: `steering` (the steering wheel's angle in degrees, positive to
    the right) and `collision` (seconds until the lead is reached, at most 10), `vehicle` (the group), as notes
    `_weather`, `_curvature` (1/m, a second ahead), and of the lead `_distance` (m) and `_closing` (m/s), and `split`
    (train, val or test; no vehicle in two). A vehicle has a road, a weather and a calibration of its own: the
    direction of its camera, the offsets of its radar, the gear ratio of its steering. The same seed and options give
    the same files with the same versions of Pillow and NumPy.

    Args:
        out: the table to write; `.parquet` holds pictures and series itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        vehicles: how many, 3 or more.
        rows_per_vehicle: moments of the drive of each vehicle, a row each.
        failures: fraction of each sensor's cells that is missing: it fails over a stretch of each drive.
        progress: whether to show a progress bar.

    Raises:
        UsageError: for a number out of range.
    """
    for name, value, low in (("seed", seed, 0), ("vehicles", vehicles, 3), ("rows_per_vehicle", rows_per_vehicle, 1)):
        check_range(name, value, low)
    if not 0 <= failures < 1:
        raise UsageError(f"failures must be 0 or more, and below 1, not {failures}")
    writer = TableWriter(out)
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for number in bar.track(range(vehicles), description="driving"):
            _drive(writer, number, seed, rows_per_vehicle, failures)
    return writer.close()


def _drive(writer: TableWriter, number: int, seed: int, rows: int, failures: float) -> None:
    """Write the rows of a vehicle. Failures have a generator of their own, so that they change no other cell."""
    vehicle = draw_vehicle(np.random.default_rng([seed, number, 0]))
    works = {s: alive(rows, failures, np.random.default_rng([seed, number, 1, i])) for i, s in enumerate(SENSORS)}
    for turn in range(rows):
        rng = np.random.default_rng([seed, number, 2, turn])
        moment = draw_moment(vehicle, rng)
        data = {
            "camera": (".png", encode_png(view(vehicle, moment, rng))),
            "radar": ("-radar.npy", encode_npy(radar(vehicle, moment, rng))),
            "motion": ("-motion.npy", encode_npy(motion(vehicle, moment, rng))),
        }
        name = f"{number:03d}/{turn:03d}"
        writer.row(
            **{s: writer.media(name + end, cell) if works[s][turn] else None for s, (end, cell) in data.items()},
            steering=round(steering(vehicle, moment), 3),
            collision=round(collision(moment), 3),
            vehicle=f"vehicle {number:03d}",
            _weather=vehicle.weather,
            _curvature=round(moment.curvature, 6),
            _distance=round(moment.distance, 3),
            _closing=round(moment.closing, 3),
            split=PARTS[number % len(PARTS)],
        )
