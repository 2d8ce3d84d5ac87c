"""What a lesson does, from withholding it at random: sums, bets and intervals. Pure.

Read from the top: `trials` are what was seen, `ledger` adds them up, `bets` turns sums into
evidence that may be looked at as often as one likes, `verdicts` says what follows.
"""

from __future__ import annotations

from .ledger import Ledger as Ledger
from .placebo import Claims as Claims
from .placebo import claims as claims
from .trials import Trials as Trials
from .verdicts import Effect as Effect
from .verdicts import Finding as Finding
from .verdicts import Rules as Rules
from .verdicts import in_words as in_words
from .verdicts import judge as judge
