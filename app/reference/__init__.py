"""The reference pages of the documents, made from the code: nothing is written by hand twice.

``pages()`` gives Markdown by path. The documents' build puts them in (``hooks``); ``python -m app.reference DIR``
writes them as files.
"""

from app.reference.pages import pages

__all__ = ["pages"]
