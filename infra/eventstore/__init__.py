"""The event store: commands in, envelopes numbered under one lock, the truth that everything else is made from."""
