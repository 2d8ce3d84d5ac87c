"""Declarative helpers from which most methods are a few lines.

By theme: `trials` (attempts on an instance, one after the other), `searches` (episodes beside them
that no curve counts, and the choice among them), `critiques` (asking for them, reading them),
`passes` (rounds, commits and the freeze of the shared stream).
"""

from __future__ import annotations

from .critiques import PAIR as PAIR
from .critiques import credits_of as credits_of
from .critiques import critique_due as critique_due
from .critiques import critique_of as critique_of
from .critiques import lesson_of as lesson_of
from .critiques import plain_critique as plain_critique
from .critiques import reflect as reflect
from .critiques import said as said
from .critiques import unwritten as unwritten
from .critiques import worth_a_critique as worth_a_critique
from .critiques import write_critique as write_critique
from .passes import TRIAL_CHANCE as TRIAL_CHANCE
from .passes import accepted as accepted
from .passes import behaviors as behaviors
from .passes import frozen as frozen
from .passes import inherited_evidence as inherited_evidence
from .passes import judge as judge
from .passes import next_of_pass as next_of_pass
from .passes import on_trial as on_trial
from .passes import one_more as one_more
from .passes import one_round as one_round
from .passes import read as read
from .searches import actions_of as actions_of
from .searches import best as best
from .searches import heard_in as heard_in
from .searches import output_of as output_of
from .searches import refinement as refinement
from .searches import search as search
from .searches import searched as searched
from .searches import select as select
from .searches import submit as submit
from .trials import attempt as attempt
from .trials import attempt_of_round as attempt_of_round
from .trials import next_trial as next_trial
from .trials import once as once
from .trials import own_trials as own_trials
from .trials import recall as recall
from .trials import spec as spec
