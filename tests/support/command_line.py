"""Running the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from omnishot.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed on stdout, which must be JSON and nothing else."""
        return json.loads(self.out)


@pytest.fixture
def omnishot(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`omnishot("check", table)` runs that command."""

    def call(*args: object) -> Done:
        code = main([str(arg) for arg in args])
        return Done(code, *capsys.readouterr())

    return call
