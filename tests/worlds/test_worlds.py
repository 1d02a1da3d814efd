import subprocess
import sys

import pytest

from omnishot import worlds
from omnishot.errors import UsageError


def test_an_unknown_world_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'glyphs'"):
        worlds.make("glyph", tmp_path / "t.csv")


def test_an_unknown_option_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UsageError, match=r"no option 'alphabet'.*did you mean 'alphabets'"):
        worlds.make("glyphs", tmp_path / "t.csv", alphabet=3)


def test_every_world_is_listed():
    for name in worlds.WORLDS.names():
        assert callable(worlds.WORLDS.load(name))


def test_importing_the_registry_is_cheap():
    heavy = "[m for m in ('torch', 'matplotlib', 'pandas', 'numpy') if m in sys.modules]"
    code = f"import sys; before = {heavy}; import omnishot.worlds; print([m for m in {heavy} if m not in before])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
