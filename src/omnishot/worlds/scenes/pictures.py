"""Pictures of scenes: anti-aliased things, no two of a kind quite alike, on an uneven and slightly noisy background."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from omnishot.worlds.scenes import colours as scene_colours
from omnishot.worlds.scenes import shapes as scene_shapes
from omnishot.worlds.scenes import textures as scene_textures
from omnishot.worlds.scenes.concepts import Concept
from omnishot.worlds.scenes.layout import Scene, Thing

FINE = 4  # drawn this many times larger, then averaged
OUTLINED = 0.5  # fraction of the things with a darker rim
NOISE = (1.0, 7.0)  # standard deviation, of 255
_COLOURS = {name: scene_colours.lab(*colour) for name, colour in scene_colours.BASIC.items()}
_SHAPES = {name: scene_shapes.settle(outline) for name, outline in scene_shapes.BASIC.items()}


def _ink(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The second ink of a textured thing: the same hue, much darker or much lighter."""
    lightness = colour[0] - 0.34 if colour[0] > 0.62 else colour[0] + 0.36
    return np.array([lightness + rng.uniform(-0.03, 0.03), *(0.5 * colour[1:])])


def draw_sprite(thing: Thing, concept: Concept | None, side: int, rng: np.random.Generator) -> Image.Image:
    """The thing alone, RGBA, for a picture of `side` pixels drawn `FINE` times larger."""
    new = {concept.word: concept.appearance} if concept is not None else {}
    outline, colour = new.get(thing.shape), new.get(thing.colour)
    outline = _SHAPES[thing.shape] if outline is None else outline
    colour = scene_colours.vary(_COLOURS[thing.colour] if colour is None else colour, rng)
    texture = new.get(thing.texture) or scene_textures.vary(thing.texture, rng)
    angle, stretch = rng.uniform(-scene_shapes.TURN, scene_shapes.TURN), np.exp(rng.uniform(-0.06, 0.06))
    radius = thing.radius * side * FINE
    width = int(np.ceil(2 * radius)) + 2
    points = scene_shapes.turned(outline * [stretch, 1 / stretch], angle) * (radius * 0.94) + width / 2
    mask = Image.new("L", (width, width))
    ImageDraw.Draw(mask).polygon(list(map(tuple, points)), fill=255)
    axis = (np.arange(width) + 0.5 - width / 2) / radius
    turn = np.deg2rad(angle / 2)  # textures tilt less than shapes
    u, v = np.meshgrid(axis, axis)
    second = texture(u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn))
    inks = np.rint(scene_colours.to_rgb(np.stack([colour, _ink(colour, rng)]))).astype(np.uint8)
    sprite = Image.fromarray(inks[second.astype(np.intp)])
    if rng.random() < OUTLINED:
        rim = scene_colours.to_rgb(colour * [0.6, 0.8, 0.8])
        loop = [*map(tuple, points), tuple(points[0])]
        ImageDraw.Draw(sprite).line(loop, fill=tuple(int(c) for c in rim), width=int(FINE * rng.uniform(1, 2.2)))
    sprite.putalpha(mask)
    return sprite


def draw_ground(ground: str, side: int, rng: np.random.Generator) -> Image.Image:
    """A light or dark background of `side` pixels drawn `FINE` times larger: hardly coloured, uneven."""
    lightness = rng.uniform(0.86, 0.96) if ground == "light" else rng.uniform(0.2, 0.3)
    base = scene_colours.lab(lightness, rng.uniform(0, 0.03), rng.uniform(0, 360))
    patches = base + rng.normal(0, 1, (4, 4, 3)) * (0.025, 0.008, 0.008)
    small = Image.fromarray(np.rint(scene_colours.to_rgb(patches)).astype(np.uint8))
    return small.resize((side * FINE, side * FINE), Image.Resampling.BICUBIC)


def compose(ground: Image.Image, sprites: list[tuple[Image.Image, float, float]]) -> np.ndarray:
    """Sprites with their centres (fractions of the side) on a background: float `[side, side, 3]` in 0...255."""
    canvas = ground.copy()
    for sprite, x, y in sprites:
        corner = (round(x * canvas.width - sprite.width / 2), round(y * canvas.height - sprite.height / 2))
        canvas.paste(sprite, corner, sprite)
    return np.asarray(canvas.reduce(FINE), np.float32)


def soil(picture: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """`picture [..., 3]` in 0...255 with noise: uint8."""
    noisy = picture + rng.standard_normal(picture.shape, np.float32) * strength
    return np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)


def draw(scene: Scene, concept: Concept | None, side: int, rng: np.random.Generator) -> np.ndarray:
    """A random picture of the scene: uint8 `[side, side, 3]`."""
    sprites = [(draw_sprite(thing, concept, side, rng), thing.x, thing.y) for thing in scene.things]
    picture = compose(draw_ground(scene.ground, side, rng), sprites)
    return soil(picture, rng.uniform(*NOISE), rng)
