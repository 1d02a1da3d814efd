import io
import struct
import zipfile
import zlib

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omnishot.errors import UsageError
from omnishot.modality import image as module
from omnishot.modality.base import CellError
from omnishot.modality.image import Image

PLAIN = Image((8, 6), 3, (0.0,) * 3, (1.0,) * 3)
GREY = Image((8, 8), 1, (0.0,), (1.0,))


def file_of(image: PIL.Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise_image(rng, height=16, width=16) -> PIL.Image.Image:
    return PIL.Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def header_only_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


REASON = "a reason"


def shape_or_reason(cell: bytes) -> tuple[int, ...] | str:
    try:
        return PLAIN.decode(cell).shape
    except CellError as error:
        return REASON if str(error) else "no reason"


def test_fits_and_keeps_the_contract(rng, keeps_the_contract):
    cells = [file_of(noise_image(rng)) for _ in range(12)]
    fitted = Image.fit(cells)
    assert (fitted.size, fitted.channels) == ((16, 16), 3)
    stored = np.stack([fitted.decode(cell) for cell in cells])
    keeps_the_contract(fitted, stored)
    normal = fitted.normalise(torch.from_numpy(stored))
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normal.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_default_size_and_channels(rng):
    grey = noise_image(rng).convert("L")
    assert Image.fit([file_of(grey), file_of(grey.convert("1"))]).channels == 1
    assert Image.fit([file_of(grey), file_of(grey.convert("RGB"))]).channels == 1
    assert Image.fit([file_of(grey), file_of(noise_image(rng))]).channels == 3
    assert Image.fit([file_of(grey), file_of(noise_image(rng, 20, 16))]).size == (84, 84)
    assert Image.fit([file_of(noise_image(rng, 100, 100))]).size == (84, 84)
    assert Image.fit([file_of(noise_image(rng))], size=[5, 7], channels=1).shape == (1, 5, 7)
    for wrong in ({"size": 0}, {"size": (1, 2, 3)}, {"channels": 2}):
        with pytest.raises(UsageError):
            Image.fit([file_of(grey)], **wrong)


def test_moments_of_grey_images_are_those_of_what_is_stored(rng):
    cells = [file_of(noise_image(rng).convert("L")) for _ in range(5)]
    fitted = Image.fit(cells)
    stored = np.stack([fitted.decode(cell) for cell in cells]) / 255
    np.testing.assert_allclose([*fitted.mean, *fitted.std], [stored.mean(), stored.std()], rtol=1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_keeps_its_brightness(mode):
    light = {"I;16": 51400, "I": 51400, "F": 200 / 255}.get(mode)
    image = PIL.Image.new("L", (20, 20), 200).convert(mode) if light is None else PIL.Image.new(mode, (20, 20), light)
    kind = "TIFF" if mode in ("LA", "PA", "CMYK", "YCbCr", "I", "F", "I;16") else "PNG"
    if mode == "PA":  # no format holds it
        image, kind = image.convert("LA"), "PNG"
    pixels = PLAIN.decode(file_of(image, kind)).astype(int)
    assert abs(pixels.mean() - 200) < (60 if mode == "1" else 4)


def test_transparent_parts_are_white():
    image = PIL.Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert (PLAIN.decode(file_of(image)) == 255).all()
    palette = PIL.Image.new("P", (10, 10), 0)
    palette.putpalette([255, 0, 0])
    assert (PLAIN.decode(file_of(palette, transparency=0)) == 255).all()


def test_exif_orientation_is_followed():
    image = PIL.Image.new("RGB", (16, 16), "black")
    image.paste("white", (0, 0, 16, 8))  # the upper half
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn clockwise to see it upright
    pixels = GREY.decode(file_of(image, "PNG", exif=exif.tobytes()))[0]
    assert pixels[:, 5:].mean() > 200
    assert pixels[:, :3].mean() < 50
    assert Image.fit([file_of(image.resize((8, 4)), exif=exif.tobytes())]).size == (8, 4)


def test_arrays_of_every_layout_agree(rng):
    pixels = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    expected = PLAIN.decode(pixels)
    np.testing.assert_array_equal(PLAIN.decode(file_of(PIL.Image.fromarray(pixels))), expected)
    np.testing.assert_array_equal(PLAIN.decode(pixels.transpose(2, 0, 1)), expected)
    np.testing.assert_array_equal(PLAIN.decode(pixels.astype(np.int64)), expected)
    np.testing.assert_array_equal(PLAIN.decode(pixels / np.float32(255)), expected)
    grey = pixels[..., 0]
    np.testing.assert_array_equal(GREY.decode(grey), GREY.decode(grey[None]))
    np.testing.assert_array_equal(GREY.decode(grey > 99), GREY.decode(255 * (grey > 99).astype(np.uint8)))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 4, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.full((4, 4), 256),
        np.full((4, 4), -1),
        np.full((4, 4), 1.5),
        np.full((4, 4), np.nan),
        np.full((4, 4), "a"),
        np.array([[1, 2], [3]], object),
    ],
)
def test_arrays_that_are_no_images(array):
    with pytest.raises(CellError):
        PLAIN.decode(array)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    mode=st.sampled_from(["1", "L", "P", "RGB", "RGBA", "LA", "I;16"]),
)
def test_any_size_gives_one_shape(height, width, mode):
    image = PIL.Image.new(mode, (width, height))
    for modality in (PLAIN, GREY):
        stored = modality.decode(file_of(image))
        assert stored.shape == modality.shape
        assert stored.dtype == np.uint8


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF"])
def test_truncated_files(rng, kind):
    data = file_of(noise_image(rng, 40, 40), kind)
    for share in (0.5, 0.8, 0.95):
        with pytest.raises(CellError, match="truncated"):
            PLAIN.decode(data[: int(len(data) * share)])


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0"]),
)
def test_garbage_is_a_cell_error(garbage, magic):
    assert shape_or_reason(magic + garbage) in (PLAIN.shape, REASON)  # garbage may happen to be valid


@given(st.data())
def test_damaged_files_decode_or_are_cell_errors(data):
    content = bytearray(
        file_of(PIL.Image.new("RGB", (12, 12), "red"), data.draw(st.sampled_from(["PNG", "JPEG", "GIF"])))
    )
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert shape_or_reason(bytes(content)) in (PLAIN.shape, REASON)


@pytest.mark.parametrize("side", [8_001, 10_000, 60_000])
def test_decompression_bombs_are_refused(side, recwarn):
    with pytest.raises(CellError, match="decompression bomb"):
        PLAIN.decode(header_only_png(side, side))
    assert not [warning for warning in recwarn if warning.category is PIL.Image.DecompressionBombWarning]


def test_arrays_over_the_pixel_limit_are_refused(monkeypatch):
    monkeypatch.setattr(module, "PIXEL_LIMIT", 99)
    with pytest.raises(CellError, match="10 x 10 pixels"):
        PLAIN.decode(np.zeros((10, 10), np.uint8))


def test_other_files_are_named():
    for data, what in ((b"", "an empty file"), (b"<html><body>", "an HTML page"), (b"%PDF-1.7", "a PDF document")):
        with pytest.raises(CellError, match=what):
            PLAIN.decode(data)


def test_no_format_that_runs_a_program():
    with pytest.raises(CellError, match="no image"):
        PLAIN.decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")


@given(st.floats(0, 1), st.floats(0.01, 1))
def test_every_pixel_is_normalised_to_the_last_bit(mean, std):
    modality = Image((16, 16), 1, (mean,), (std,))
    cells = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    wanted = (cells.float() / 255 - torch.tensor(mean)) / torch.tensor(std)
    assert torch.equal(modality.normalise(cells), wanted)


def test_channels_have_their_own_mean_and_deviation():
    modality = Image((1, 1), 3, (0.0, 1.0, 0.5), (1.0, 0.5, 0.25))
    pixel = torch.tensor([255, 0, 255], dtype=torch.uint8).view(3, 1, 1)
    assert modality.normalise(pixel).flatten().tolist() == [1.0, -2.0, 2.0]


def test_turns_are_quarter_turns_of_each_cell(rng):
    modality = Image((5, 5), 1, (0.0,), (1.0,))
    cells = torch.from_numpy(rng.integers(0, 256, (2, 4, 1, 5, 5), dtype=np.uint8))
    turns = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    turned = modality.turn(cells, turns)
    for i in range(2):
        for j in range(4):
            assert torch.equal(turned[i, j], torch.rot90(cells[i, j], int(turns[i, j]), (-2, -1)))
    with pytest.raises(UsageError, match="square"):
        PLAIN.turn(torch.zeros(1, 3, 8, 6, dtype=torch.uint8), torch.tensor([1]))


def test_picture_shows_the_pixels(rng):
    stored = rng.integers(0, 256, PLAIN.shape, dtype=np.uint8)
    np.testing.assert_array_equal(PLAIN.decode(np.asarray(PLAIN.picture(stored))), stored)
    assert GREY.picture(np.zeros(GREY.shape, np.uint8)).mode == "L"


def test_an_omniglot_drawing(shared_data):
    archive = shared_data / "omniglot" / "images_background.zip"
    if not archive.is_file():
        pytest.skip("needs images_background.zip")
    with zipfile.ZipFile(archive) as files:
        names = [name for name in files.namelist() if name.endswith(".png") and "__MACOSX" not in name][:20]
        cells = [files.read(name) for name in names]
    fitted = Image.fit(cells, size=28)
    assert fitted.shape == (1, 28, 28)
    stored = np.stack([fitted.decode(cell) for cell in cells])
    assert 0.8 < stored.mean() / 255 < 0.99  # thin black lines on white


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pictures_vary_by_chance_each_by_its_own():
    cells = torch.full((3, 2, 1, 28, 28), 255, dtype=torch.uint8)
    cells[..., 10:18, 12:15] = 0  # the same dark bar in all
    varied = GREY.vary(cells, 1.0, generator())
    assert varied.shape == cells.shape
    assert varied.dtype == torch.uint8
    flat = varied.flatten(0, 1)
    assert all(not torch.equal(a, b) for i, a in enumerate(flat) for b in flat[:i])
    assert torch.equal(varied, GREY.vary(cells, 1.0, generator()))
    assert not torch.equal(varied, GREY.vary(cells, 1.0, generator(1)))
    assert torch.equal(GREY.vary(cells, 0.0, generator()), cells)
    assert (flat[:, 0, :, [0, -1]] == 255).all()  # outside, the border goes on
    ink = (255 - flat.double()).sum((1, 2, 3)) / (255 * 24)
    assert ((ink > 0.55) & (ink < 1.7)).all()  # a fifth either way in both directions, at most
    little = (GREY.vary(cells, 0.1, generator()).double() - cells.double()).abs().mean()
    assert 0 < little < 0.5 * (varied.double() - cells.double()).abs().mean()


def test_what_varying_does_is_known_for_one_map(monkeypatch):
    """A shift alone: a tenth of the side to the left, by grid sampling's convention."""
    chance = torch.full((6, 1), 0.5)
    chance[4] = 1.0  # 2 * 1 - 1
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: chance)
    cells = torch.zeros(1, 1, 20, 20, dtype=torch.uint8)
    cells[0, 0, 5, 10] = 200
    varied = Image((20, 20), 1, (0.0,), (1.0,)).vary(cells, 1.0, generator())
    assert varied.nonzero().tolist() == [[0, 0, 5, 8]]
    assert varied.max() == 200


def test_only_pictures_vary():
    from omnishot.modality.audio import Audio

    with pytest.raises(UsageError, match="kind audio cannot be augmented"):
        Audio(800, 200, 1.0).vary(torch.zeros(1, 200), 0.5, generator())
