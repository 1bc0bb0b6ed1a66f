"""A language model of less than 5M parameters, trained from nothing on the CPU: the experiment that shows learning.

Plan, result and how to repeat it: docs/explanation/learning.md.
"""
