"""A team's own model, unchanged, in a process of its own: label-studio-ml of both interfaces, scikit-learn.

`HostedModel` starts the process, asks it and ends it; what runs inside is `child.py` and what that imports.
"""

from nextlabel.hosting.answers import HostedPrediction
from nextlabel.hosting.model import HostedModel, Limits
from nextlabel.hosting.process import Meanwhile
from nextlabel.hosting.source import ModelSource

__all__ = ["HostedModel", "HostedPrediction", "Limits", "Meanwhile", "ModelSource"]
