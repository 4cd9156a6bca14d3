"""The classes of the small data set (see conftest.py): name -> colour."""

from __future__ import annotations

COLOURS = {"blue": (30, 30, 220), "green": (30, 200, 30), "red": (220, 30, 30)}
