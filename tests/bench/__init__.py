"""Measurements, each beside the bare limit in the same run. ``make bench``; figures are printed, never asserted."""
