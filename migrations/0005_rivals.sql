-- Schema 5. What a report costs does not grow with the number of those of its identity (docs/decisions/0005-conflicts.md), and a run with
-- nothing to do reads little of the ledger.

-- Is this report there already: asked for each one.
DROP INDEX reports_identity;
CREATE INDEX reports_identity ON reports (domain_id, begin_utc, reporter_id, report_id, end_utc, digest);
-- Which mails are to be tried again: without a look at all others.
CREATE INDEX messages_deferred ON messages (mailbox_id) WHERE outcome = 5;
-- Which of one identity count, and how many do not, of each rank and voice: asked where there is another one of that identity.
CREATE INDEX reports_rivals ON reports (domain_id, begin_utc, reporter_id, report_id, end_utc, is_counted, sender_rank, voice_id);
