"""The sensors of a vehicle in the world `driving` besides its camera: a radar's range profile, and its own motion."""

from __future__ import annotations

import numpy as np

from omnishot.worlds.driving.vehicles import Moment, Vehicle

BINS, BIN = 64, 2.0  # of a range profile, and their width in m
BLUR = 2.2  # m, standard deviation of an echo
FLOOR = {"clear": 0.01, "fog": 0.015, "night": 0.01, "rain": 0.04}  # noise power; an echo from 10 m away has 1
AVERAGED = 4  # radar sweeps that a profile is the mean of
POSTS = 4  # at most, at the roadside
STEPS, STEP = 20, 0.1  # of the motion, and their length in s


def radar(vehicle: Vehicle, moment: Moment, rng: np.random.Generator) -> np.ndarray:
    """Range profile `[BINS, 2]`: power in dB, and closing speed (m/s).

    The lead vehicle is the strongest moving echo; posts do not move, so their closing speed is that of the vehicle.
    """
    posts = [(d, moment.speed, 0.15) for d in rng.uniform(10, 110, rng.integers(0, POSTS + 1))]
    place = np.arange(BINS) * BIN
    power = FLOOR[vehicle.weather] * rng.gamma(AVERAGED, 1 / AVERAGED, BINS)
    flow = power * rng.normal(0, 2, BINS)
    for distance, closing, size in [(moment.distance, moment.closing, 1.0), *posts]:
        shown = vehicle.radar_scale * distance + vehicle.radar_offset
        strength = size * (10 / distance) * rng.uniform(0.6, 1.6)
        echo = strength * np.exp(-(((place - shown) / BLUR) ** 2) / 2)
        power, flow = power + echo, flow + echo * (closing + vehicle.radar_bias)
    noise = rng.normal(0, 0.2, BINS)
    return np.stack([10 * np.log10(power + 1e-3) + vehicle.radar_gain, flow / power + noise], 1).astype(np.float32)


def motion(vehicle: Vehicle, moment: Moment, rng: np.random.Generator) -> np.ndarray:
    """The last two seconds `[STEPS, 3]`: speed (m/s), heading (degrees against now), acceleration (m/s²)."""
    time = (np.arange(STEPS) - STEPS + 1) * STEP
    speed = moment.speed + moment.braking * time
    along = moment.speed * time + moment.braking * time**2 / 2
    heading = np.rad2deg(moment.bend * along + moment.twist * along**2 / 2) + vehicle.drift * time
    sensed = np.stack([vehicle.speed_scale * speed, heading, np.full(STEPS, moment.braking)], 1)
    return (sensed + rng.normal(0, (0.15, 0.15, 0.2), (STEPS, 3))).astype(np.float32)


def alive(rows: int, failures: float, rng: np.random.Generator) -> np.ndarray:
    """Whether a sensor works in each row of a drive: bool `[rows]`, False over one stretch of that fraction of rows."""
    dead, start = round(failures * rows), rng.integers(rows)
    return (np.arange(rows) - start) % rows >= dead
