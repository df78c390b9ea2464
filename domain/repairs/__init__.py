"""The repair case 报修: one incident, from its first report to water and a closed file.

Facts from the field (reports, acknowledgement, arrival, assessment, work, completion, restoration) are never refused
for their order; what is odd about them is flagged. Instructions (dispatch, reassess, close) may be refused.
"""
