"""Real municipal tickets replayed through the rulebook: two cities' published order books as imported history.

``rows`` reads files, ``boston`` and ``kitchener`` say what a row is in our words, ``city`` makes each city's standard,
``run`` plays the book on a stage and counts, ``report`` shows what came of it.
"""
