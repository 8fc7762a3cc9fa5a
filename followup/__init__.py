"""Followup: texts and e-mail that look after people in the six weeks after surgery.

The floors, from the roof down; imports go down only:

    web · tasks · cli · embedded    the world comes in: HTTP, time, a shell, the demo
    runtime                         the one place where parts are joined
    services                        what we do: one verb family a file
    store | providers               memory (SQL) | voice (Twilio, SMTP, sandbox)
    messages | protocols            words | plans: data files with a reader and a checker
    clinical                        pure rules: taper, MME, scales, timing, triage
    core                            clock, ids, errors, vocabulary, contact points
"""

__version__ = "0.1.0"
