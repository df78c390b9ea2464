"""Read models made anew from zero beside those in use, which they replace.

``run``: a rebuild from beginning to end. ``lane``: half of the cases, folded in bulk; a process each. ``tables``: the
table of a model beside the one in use, and how it takes its place.
"""
