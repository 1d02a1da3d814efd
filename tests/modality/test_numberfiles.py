import io

import numpy as np
import pytest

from omnishot.modality.base import CellError
from omnishot.modality.numberfiles import read_numbers


def test_npy_keeps_shape_and_type():
    file = io.BytesIO()
    np.save(file, np.arange(6, dtype=np.int16).reshape(1, 2, 3))
    array = read_numbers(file.getvalue())
    assert (array.dtype, array.shape) == (np.int16, (1, 2, 3))


def test_fortran_order():
    file = io.BytesIO()
    np.save(file, np.asfortranarray(np.arange(6).reshape(2, 3)))
    np.testing.assert_array_equal(read_numbers(file.getvalue()), np.arange(6).reshape(2, 3))


def test_nothing_is_unpickled():
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    file = io.BytesIO()
    np.save(file, np.array([Bomb()], object), allow_pickle=True)
    with pytest.raises(CellError, match="not of numbers"):
        read_numbers(file.getvalue())


def test_lines_are_counted_as_an_editor_does():
    with pytest.raises(CellError, match="line 4"):
        read_numbers(b"a,b\n1,2\n\n3,x\n")
