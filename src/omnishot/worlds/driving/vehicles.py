"""The vehicles of the world `driving`, moments of their drives, and the targets that follow from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WEATHERS, FRACTIONS = ("clear", "fog", "night", "rain"), (0.4, 0.2, 0.2, 0.2)
PREVIEW = 1.0  # seconds ahead that a driver steers for
SIDEWAYS = 2.5  # m/s², the most that a driver takes a curve with
SHARPEST = 0.02  # 1/m
UNDERSTEER = 0.002  # rad of wheel a m/s² sideways
CAP = 10.0  # seconds; a collision that is further away, or none, counts as this


@dataclass(frozen=True)
class Vehicle:
    """A vehicle on its road in its weather.

    Camera: `pitch` (down) and `yaw` (to the right) in rad, `height` in m, `focal` and `exposure` as factors. Radar: it
    shows `radar_scale * distance + radar_offset` metres, adds `radar_bias` (m/s) to speeds and `radar_gain` (dB) to
    echoes. Steering: `ratio` of steering wheel to wheels, `wheelbase` in m, `trim` in degrees where straight ahead is.
    Motion: `speed_scale`, and `drift` of the heading in degrees a second. Road: `lane` in m, usual speed `pace` in m/s.
    """

    weather: str
    pace: float
    lane: float
    pitch: float
    yaw: float
    height: float
    focal: float
    exposure: float
    radar_scale: float
    radar_offset: float
    radar_bias: float
    radar_gain: float
    ratio: float
    wheelbase: float
    trim: float
    speed_scale: float
    drift: float


@dataclass(frozen=True)
class Moment:
    """The curvature at `s` metres ahead is `bend + twist * s` (1/m, positive to the right).

    `speed` in m/s and `braking` its change in m/s²; `aside` of the lane's middle in m, and `askew` to the road in rad,
    both to the right; the lead is `distance` m ahead and comes nearer by `closing` m/s.
    """

    speed: float
    braking: float
    bend: float
    twist: float
    aside: float
    askew: float
    distance: float
    closing: float

    @property
    def curvature(self) -> float:
        """The curvature (1/m) where the vehicle is in `PREVIEW` seconds."""
        return self.bend + self.twist * PREVIEW * self.speed


def draw_vehicle(rng: np.random.Generator) -> Vehicle:
    """A random vehicle."""
    return Vehicle(
        weather=str(rng.choice(WEATHERS, p=FRACTIONS)),
        pace=rng.uniform(11, 25),
        lane=rng.uniform(3.0, 3.8),
        pitch=np.deg2rad(rng.uniform(0, 6)),
        yaw=np.deg2rad(rng.uniform(-4, 4)),
        height=rng.uniform(1.1, 1.9),
        focal=rng.uniform(0.8, 1.25),
        exposure=rng.uniform(0.75, 1.25),
        radar_scale=rng.uniform(0.8, 1.2),
        radar_offset=rng.uniform(-4, 8),
        radar_bias=rng.uniform(-2, 2),
        radar_gain=rng.uniform(-6, 6),
        ratio=rng.uniform(11, 22),
        wheelbase=rng.uniform(2.3, 4.2),
        trim=rng.uniform(-8, 8),
        speed_scale=rng.uniform(0.85, 1.15),
        drift=rng.uniform(-1.5, 1.5),
    )


def draw_moment(vehicle: Vehicle, rng: np.random.Generator) -> Moment:
    """A random moment of its drive: the curvature behind is correlated with the curvature ahead."""
    speed = max(5.0, rng.normal(vehicle.pace, 2.5))
    sharpest = min(SHARPEST, SIDEWAYS / speed**2)
    ahead, other = rng.uniform(-sharpest, sharpest, 2)
    behind = 0.5 * ahead + 0.5 * other
    distance = float(np.exp(rng.uniform(np.log(8), np.log(90))))
    closing = rng.uniform(-4, 0) if rng.random() < 0.1 else distance / np.exp(rng.uniform(np.log(1.2), np.log(12)))
    return Moment(
        speed=speed,
        braking=rng.normal(0, 0.8),
        bend=(ahead + behind) / 2,
        twist=(ahead - behind) / (2 * PREVIEW * speed),
        aside=rng.normal(0, 0.2),
        askew=np.deg2rad(rng.normal(0, 0.5)),
        distance=distance,
        closing=min(closing, speed),
    )


def steering(vehicle: Vehicle, moment: Moment) -> float:
    """The angle of the steering wheel in degrees, positive to the right, of a bicycle model with understeer."""
    sideways = moment.speed**2 * moment.curvature
    wheel = np.arctan(vehicle.wheelbase * moment.curvature) + UNDERSTEER * sideways
    return float(vehicle.trim + vehicle.ratio * np.rad2deg(wheel))


def collision(moment: Moment) -> float:
    """Seconds until the lead is reached at constant speeds, at most `CAP`."""
    return min(moment.distance / moment.closing, CAP) if moment.closing > 0 else CAP
