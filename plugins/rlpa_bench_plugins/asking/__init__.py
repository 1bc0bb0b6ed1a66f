"""What judges and simulated users that ask a language model share.

``prompts`` reads versioned prompt files, ``options`` are the fields that every role has, ``fence`` turns text that
somebody else wrote into data, ``answers`` reads JSON answers strictly, and ``asker`` asks, and asks once more where the
answer cannot be used.
"""
