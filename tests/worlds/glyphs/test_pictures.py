import io

import numpy as np
import pytest
from PIL import Image

from omnishot.errors import DataError
from omnishot.table.encoding import encode_png
from omnishot.worlds.glyphs import pictures
from omnishot.worlds.glyphs.alphabets import letters

NOWHERE = "\U0010fffe"  # a noncharacter, which every face draws as its missing-glyph box


@pytest.mark.parametrize("face", pictures.FACES)
def test_no_letter_is_drawn_as_a_missing_glyph_box(face):
    box = pictures.outline(NOWHERE, face).tobytes()
    drawn = {letter.char for letter in letters() if face in pictures.faces_of(letter.char)}
    assert drawn
    for char in drawn:
        image = pictures.outline(char, face)
        assert image.getextrema()[1] == 255, f"{char!r} is empty"
        assert image.tobytes() != box, f"{char!r} is a box"


def test_every_letter_has_two_faces():
    assert min(len(pictures.faces_of(letter.char)) for letter in letters()) >= 2


def test_a_character_that_no_face_draws_is_an_error():
    with pytest.raises(DataError, match="reinstall matplotlib"):
        pictures.faces_of(NOWHERE)


def test_outlines_are_whole():
    for letter in letters():
        ink = np.asarray(pictures.outline(letter.char, pictures.faces_of(letter.char)[-1], stroke=3))
        edge = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
        assert edge.max() == 0, f"{letter.label} touches the edge"


def test_posed_letters_stay_inside_and_keep_their_ink():
    for seed, letter in enumerate(letters()):
        ink = pictures.pose(pictures.outline(letter.char, "DejaVuSans"), np.random.default_rng(seed))
        assert ink.shape == (pictures.SIDE, pictures.SIDE)
        assert ink.max() > 0.4
        rows, columns = np.nonzero(ink > 0.2)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 >= pictures.EXTENT[0] * 0.6


def test_every_picture_shows_ink_on_paper():
    for seed, letter in enumerate(letters()):
        picture = pictures.draw(letter.char, np.random.default_rng(seed))
        assert picture.shape == (pictures.SIDE, pictures.SIDE)
        assert picture.dtype == np.uint8
        assert np.percentile(picture, 75) - np.percentile(picture, 1) > 50, letter.label


def test_png_keeps_every_pixel():
    picture = pictures.draw("α", np.random.default_rng(0))
    with Image.open(io.BytesIO(encode_png(picture))) as image:
        assert image.format == "PNG"
        assert image.mode == "L"
        assert (np.asarray(image) == picture).all()
