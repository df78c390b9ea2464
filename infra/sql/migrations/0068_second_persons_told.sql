-- When whoever is asked for an approval was told of it, and told once more before its time is over: null, not yet. Times
-- are the service's. What waits in an installation at its upgrade is told then.
ALTER TABLE approvals.commands ADD COLUMN told_at timestamp with time zone;
ALTER TABLE approvals.commands ADD COLUMN reminded_at timestamp with time zone;
CREATE INDEX commands_untold ON approvals.commands (expires_at)
    WHERE sealed IS NOT NULL AND (told_at IS NULL OR reminded_at IS NULL);
CREATE INDEX messages_of_approvals ON outbox.messages (created_at) WHERE kind = 'approval-request' AND state = 'waiting';
