"""Several judges as one, whose verdicts stay side by side."""

from .families import family
from .judge import PanelJudge, PanelOptions, member_of

__all__ = ["PanelJudge", "PanelOptions", "family", "member_of"]
