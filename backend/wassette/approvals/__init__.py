"""The model may ask; only a person grants.

    model      what is asked, what is shown, what is decided; digests
    text       foreign text as a person may be shown it; secrets left out
    choices    the rules that a person can choose, and whether one covers what was asked
    compose    a request, from all of these
    store      requests and decisions on disk, decided once, by whichever process
    broker     waiting for a person: `Approvals.ask`
    overlay    what was decided for a call, a session or an hour, as extra rules
    write      the rule of an `always`, written to the policy
    seen       what a person has seen of a component, and what is different in the next one

Nothing here allows by itself: no time-out, no failing front end, no broken file, no full queue.
"""

from __future__ import annotations
