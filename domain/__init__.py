"""The rulebook of the water service: what may be decided, what follows from what happened, and by when.

Pure: time, ids, calendars and standards are arguments. Imports nothing but the standard library.
"""
