"""What a reviewer looks at: the report and the page, and the projections that they show.

Projections are pure functions from stored rows to plain frozen records. Nothing is written but by
`memory`, on behalf of a person.
"""

from __future__ import annotations
