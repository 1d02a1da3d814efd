"""The world `driving`: camera, radar and motion of many vehicles, each with its own calibration."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from omnishot.errors import UsageError
from omnishot.table.writing import TableWriter
from omnishot.worlds.driving.camera import view
from omnishot.worlds.driving.sensors import alive, motion, radar
from omnishot.worlds.driving.vehicles import collision, draw_moment, draw_vehicle, steering
from omnishot.worlds.pictures import encode_png

SENSORS = ("camera", "radar", "motion")
PARTS = ("test", "val", "test", *("train",) * 7)  # dealt in turn to the vehicles


def make(
    out: str | Path,
    *,
    seed: int = 0,
    vehicles: int = 120,
    moments: int = 40,
    failures: float = 0.0,
    progress: bool = False,
) -> Path:
    """Moments of simulated drives: what the sensors of a vehicle show, how it steers, and when it would collide.

    Columns: `camera` (72 x 48 PNG), `radar` (a range profile: 64 bins of 2 m, power and speed), `motion` (the last two
    seconds: speed, heading, acceleration), two targets: `steering` (the steering wheel's angle in degrees, positive to
    the right) and `collision` (seconds until the lead is reached, at most 10), `vehicle` (the group), as notes
    `_weather`, `_curvature` (1/m, a second ahead), and of the lead `_distance` (m) and `_closing` (m/s), and `split`
    (train, val or test; no vehicle in two). A vehicle has a road, a weather and a calibration of its own: where its
    camera looks, what its radar adds, how its steering is geared. The same seed and options give the same files with
    the same versions of Pillow and NumPy.

    Args:
        out: the table to write; `.parquet` holds pictures and series itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        vehicles: how many, 3 or more.
        moments: rows of each vehicle.
        failures: share of each sensor's cells that is missing: it is dead over a stretch of each drive.
        progress: whether to show a progress bar.

    Raises:
        UsageError: for a number out of range.
    """
    for name, value, low in (("seed", seed, 0), ("vehicles", vehicles, 3), ("moments", moments, 1)):
        if value < low:
            raise UsageError(f"{name} must be {low} or more, not {value}")
    if not 0 <= failures < 1:
        raise UsageError(f"failures must be 0 or more, and below 1, not {failures}")
    writer = TableWriter(out)
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for number in bar.track(range(vehicles), description="driving"):
            _drive(writer, number, seed, moments, failures)
    return writer.close()


def _drive(writer: TableWriter, number: int, seed: int, moments: int, failures: float) -> None:
    """Write the rows of a vehicle. What fails has a generator of its own, so that it changes no other cell."""
    vehicle = draw_vehicle(np.random.default_rng([seed, number, 0]))
    works = {s: alive(moments, failures, np.random.default_rng([seed, number, 1, i])) for i, s in enumerate(SENSORS)}
    for turn in range(moments):
        rng = np.random.default_rng([seed, number, 2, turn])
        moment = draw_moment(vehicle, rng)
        data = {
            "camera": (".png", encode_png(view(vehicle, moment, rng))),
            "radar": ("-radar.npy", _npy(radar(vehicle, moment, rng))),
            "motion": ("-motion.npy", _npy(motion(vehicle, moment, rng))),
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


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
