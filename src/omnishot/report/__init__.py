"""The report of a run: one self-contained HTML file."""

from omnishot.html.bars import comparison
from omnishot.html.page import Section
from omnishot.report.curves import Point, curves, missing_curve, steps_curve, stored
from omnishot.report.writing import write

__all__ = ["Point", "Section", "comparison", "curves", "missing_curve", "steps_curve", "stored", "write"]
