"""Playing dialogues, in two layers: ``play`` plays one, ``batch`` plays many, with resume."""
