"""The billing consumer, as a reference for whoever builds one: books in double entry, from the published topics alone.

``said``: what it needs of the published JSON. ``ledger``: what that means, pure. ``books``: one batch in one
transaction. ``consumer``: the process. ``rebuild``: the books anew from zero, beside those in use. ``statement`` and
``reconcile``: the same figures a second time from the store, and what differs. ``desk``: what a billing engineer sees.
"""

from consumers.billing.books import READER, Superseded, live_build, rebook, step
from consumers.billing.consumer import Shown, mender, run

__all__ = ["READER", "Shown", "Superseded", "live_build", "mender", "rebook", "run", "step"]
