"""Outages 停水: planned with approval and notice, or in an emergency; who is cut off, until when, and who was told.

Source: 城市供水条例 §22 (a planned outage needs the authority's approval and 24 hours' notice; in an emergency
people are told while it is being repaired, and the authority is reported to). That none is planned during a mass
incident, that an announced end is a promise, and the index, are our decision.
"""
