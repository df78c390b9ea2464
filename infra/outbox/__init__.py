"""The outbox: what is to be told to people, delivered with proof, at least once to the way and once to the case.

A message is a row written in the transaction of the fact that tells it, under that fact's event id: whatever is
delivered, replayed or tried again how often, there is one row. A sender leases the row, hands it to the adapter of its
way with the row's id as the idempotency key, and brings the proof back into the case by a command of its own.
"""
