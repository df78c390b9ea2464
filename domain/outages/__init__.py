"""Outages 停水: planned with approval and notice, or in an emergency; who is cut off, until when, and who was told.

Sources: 城市供水条例 §22 (in force until 2026-05-31: a planned outage needs the authority's approval and 24 hours'
notice) and 供水条例 §23 (in force since 2026-06-01: 24 hours' notice, and approval where the effect is large); by both
people are told in an emergency while it is being repaired, and the authority is reported to. That none is planned
during a mass incident, that an announced end is a promise, and the index, are our decision.
"""
