"""People as users: a page (or the terminal) on which they talk to blinded candidates, and the run that comes of it.

A *place* is one (case, seed) of the run's plan: whoever takes it talks to every candidate, in an order drawn for that
place. What a person does is written down before it is answered (``journal``); the ordinary runner waits for them
(``flow``), so that the result is an ordinary run.
"""
