"""The event contract 事件约定: what outside teams may rely on when they read our topics.

The facts' own classes are the one definition. ``generate`` makes the documents in ``v1/`` from them, ``additive`` says
what of a change would break a reader, ``routes`` serves the documents and a page for each type of event.
"""
