"""The recount 复核: every verdict of the service computed a second time, from what was published alone.

An auditor's own count. It shares no code with the rulebook: it reads the events and the policy in them (standards and
calendars are events too), and counts plainly, a limit in minutes minute by minute and a limit in working days day by
day. Where it and the verdicts on record differ, one of the two is wrong: ``tongshui verify`` says where.
"""
