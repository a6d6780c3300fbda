"""The loop of one project, and where all the rooms of the engine meet."""

from probal.session.loop import RESERVE, Predictions, Session

__all__ = ["RESERVE", "Predictions", "Session"]
