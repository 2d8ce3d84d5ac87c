"""Rewards: who judges an attempt, and how.

Scorers judge a whole answer from its text alone. They live beside the tasks that use them, one
floor below, since a question file names its scorer; judges that ask a model belong here.
"""

from __future__ import annotations

from ..tasks.scorers import SCORERS as SCORERS
from ..tasks.scorers import Exact as Exact
from ..tasks.scorers import Judgement as Judgement
from ..tasks.scorers import Numeric as Numeric
from ..tasks.scorers import Regex as Regex
from ..tasks.scorers import Scorer as Scorer
from ..tasks.scorers import load_scorer as load_scorer
from ..tasks.scorers import scorer_for as scorer_for
from .confidence import Calibration as Calibration
from .confidence import calibration as calibration
from .confidence import read_confidence as read_confidence
from .confidence import rlcr as rlcr
from .confidence import vote as vote
