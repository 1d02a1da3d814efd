"""The camera of a vehicle in the world `driving`: a road that bends, a lead vehicle, and the weather."""

from __future__ import annotations

import numpy as np

from omnishot.worlds.driving.vehicles import Moment, Vehicle

HEIGHT, WIDTH = 48, 72  # pixels
FOCAL = 62.0  # pixels, of a lens of factor 1: a view of 60 degrees
FINE = 2  # drawn at this many times the size, then averaged
FAR = 150.0  # m; beyond, the road goes on straight
LINE, DASH = 0.25, (12.0, 5.0)  # m: width of lines; period and length of dashes
BODY = (1.8, 1.45)  # m: width and height of the lead
LAMPS = np.array([0.95, 0.12, 0.08])
# Visibility in m, colour of the haze, daylight, standard deviation of the noise.
AIR = {
    "clear": (600.0, (0.70, 0.80, 0.92), 1.0, 0.02),
    "fog": (38.0, (0.74, 0.76, 0.78), 0.95, 0.03),
    "night": (400.0, (0.02, 0.03, 0.07), 0.10, 0.05),
    "rain": (110.0, (0.52, 0.55, 0.60), 0.65, 0.04),
}


def view(vehicle: Vehicle, moment: Moment, rng: np.random.Generator) -> np.ndarray:
    """The camera's picture: uint8 `[HEIGHT, WIDTH, 3]`."""
    sight, haze, daylight, grain = AIR[vehicle.weather]
    light = np.asarray(daylight)
    ahead, aside, ground = _plane(vehicle, moment)
    colour = _surface(vehicle, moment, ahead, aside, rng)
    if vehicle.weather == "night":  # headlights
        light = light + 1.1 * np.exp(-ahead / 22 - (aside / (2 + 0.25 * ahead)) ** 2)
    visible = np.exp(-ahead / sight)[..., None]
    picture = np.where(ground[..., None], colour * light[..., None] * visible + (1 - visible) * haze, haze)
    picture = _draw_lead_vehicle(picture, vehicle, moment, rng)
    picture = picture.reshape(HEIGHT, FINE, WIDTH, FINE, 3).mean((1, 3))
    if vehicle.weather == "rain":
        picture = _rain(picture, rng)
    picture = picture * vehicle.exposure + rng.normal(0, grain, picture.shape)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _plane(vehicle: Vehicle, moment: Moment) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each fine pixel: metres ahead, metres to the right of the own lane's middle, and whether it shows ground.

    All `[FINE * HEIGHT, FINE * WIDTH]`.
    """
    focal = FOCAL * vehicle.focal * FINE
    rows, columns = np.mgrid[: HEIGHT * FINE, : WIDTH * FINE] + 0.5
    right, down = (columns - WIDTH * FINE / 2) / focal, (rows - HEIGHT * FINE / 2) / focal
    forward = np.cos(vehicle.pitch) - down * np.sin(vehicle.pitch)
    drop = np.sin(vehicle.pitch) + down * np.cos(vehicle.pitch)
    ground = drop > vehicle.height / 2000
    reach = vehicle.height / np.where(ground, drop, 1)
    z, x = reach * forward, reach * right
    turn = vehicle.yaw + moment.askew
    z, x = z * np.cos(turn) - x * np.sin(turn), x * np.cos(turn) + z * np.sin(turn)
    ground &= z > 0
    z = np.where(ground, z, FAR)
    return z, x + moment.aside - middle(moment, z), ground


def middle(moment: Moment, ahead: np.ndarray) -> np.ndarray:
    """The distance of the road to the right of straight ahead, `ahead` metres on."""
    near = np.minimum(ahead, FAR)
    bent = moment.bend * near**2 / 2 + moment.twist * near**3 / 6
    slope = moment.bend * near + moment.twist * near**2 / 2
    return bent + np.clip(slope, -1, 1) * (ahead - near)


def project(vehicle: Vehicle, moment: Moment, ahead: float) -> tuple[float, float, float]:
    """The fine pixel (row, column) of the own lane's middle `ahead` metres on, and pixels per metre there."""
    focal = FOCAL * vehicle.focal * FINE
    x = float(middle(moment, np.array(ahead))) - moment.aside
    turn = vehicle.yaw + moment.askew
    z, x = ahead * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - ahead * np.sin(turn)
    depth = z * np.cos(vehicle.pitch) + vehicle.height * np.sin(vehicle.pitch)
    below = vehicle.height * np.cos(vehicle.pitch) - z * np.sin(vehicle.pitch)
    return HEIGHT * FINE / 2 + focal * below / depth, WIDTH * FINE / 2 + focal * x / depth, focal / depth


def _surface(
    vehicle: Vehicle, moment: Moment, ahead: np.ndarray, aside: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Colours `[..., 3]` of the ground: two lanes with lines between verges; the vehicle drives in the right lane."""
    lane, phase = vehicle.lane, rng.uniform(0, DASH[0])
    patches = rng.normal(0, 1, (64, 64))
    rough = patches[(ahead * 1.3).astype(int) % 64, np.floor(aside * 1.3).astype(int) % 64] * np.exp(-ahead / 25)
    verge = np.array([0.30, 0.46, 0.20]) * (1 + 0.18 * rough)[..., None]
    asphalt = np.array([0.36, 0.36, 0.38]) * (1 + 0.06 * rough)[..., None]
    edges = (np.abs(aside - 0.5 * lane) < LINE / 2) | (np.abs(aside + 1.5 * lane) < LINE / 2)
    dashes = (np.abs(aside + 0.5 * lane) < LINE / 2) & ((ahead + phase) % DASH[0] < DASH[1])
    road = (aside > -1.5 * lane - 0.4) & (aside < 0.5 * lane + 0.4)
    colour = np.where(road[..., None], asphalt, verge)
    return np.where((edges | dashes)[..., None], 0.92, colour)


def _draw_lead_vehicle(picture: np.ndarray, vehicle: Vehicle, moment: Moment, rng: np.random.Generator) -> np.ndarray:
    """The picture with the back of the lead vehicle drawn in it: shadow, body, window, lamps, each through the haze."""
    sight, haze, light, _ = AIR[vehicle.weather]
    row, column, metre = project(vehicle, moment, moment.distance)
    visible = np.exp(-moment.distance / sight)
    if vehicle.weather == "night":
        light = light + 0.8 * np.exp(-moment.distance / 22)
    wide, high = BODY[0] * metre, BODY[1] * metre
    paint = rng.uniform(0.1, 0.85) * np.ones(3) + rng.uniform(-0.1, 0.1, 3)

    def box(left: float, right: float, bottom: float, top: float, colour: np.ndarray, shine: float) -> np.ndarray:
        """A rectangle in parts of the lead's width (from its middle) and height (from the ground)."""
        cover = _cover(row - top * high, row - bottom * high, HEIGHT * FINE)[:, None]
        cover = cover * _cover(column + left * wide, column + right * wide, WIDTH * FINE)[None]
        shown = np.clip(colour * shine, 0, 1) * visible + (1 - visible) * np.array(haze)
        return picture + cover[..., None] * (shown - picture)

    picture = box(-0.55, 0.55, -0.08, 0.12, np.full(3, 0.08), light)
    picture = box(-0.5, 0.5, 0.1, 0.62, paint, light)
    picture = box(-0.42, 0.42, 0.6, 1.0, 0.9 * paint, light)
    picture = box(-0.36, 0.36, 0.64, 0.93, np.array([0.12, 0.15, 0.2]), light)
    glow = max(0.1, 1.2 / wide) if vehicle.weather == "night" else 0.1  # a lamp in the dark is never lost
    for middle_ in (-0.4, 0.4):
        picture = box(middle_ - glow, middle_ + glow, 0.46 - glow, 0.46 + glow, LAMPS, 1.0)
    return picture


def _cover(low: float, high: float, count: int) -> np.ndarray:
    """The fraction of each of `count` pixels that lies between `low` and `high`, 0 to 1."""
    start = np.arange(count)
    return np.clip(np.minimum(start + 1, high) - np.maximum(start, low), 0, 1)


def _rain(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Streaks, and drops on the glass that blur what is behind."""
    picture = picture.copy()
    for _ in range(45):
        row, column, length = rng.integers(HEIGHT), rng.integers(WIDTH), rng.integers(3, 8)
        picture[row : row + length, column] += rng.uniform(0.05, 0.18)
    for _ in range(6):
        row, column, size = rng.integers(HEIGHT - 4), rng.integers(WIDTH - 4), rng.integers(3, 6)
        patch = picture[row : row + size, column : column + size]
        patch[:] = 0.75 * patch.mean((0, 1)) + 0.25 * patch + 0.03
    return picture
