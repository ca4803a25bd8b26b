-- Schema 5. What a report costs does not grow with the number of those of its identity (docs/decisions/0005-conflicts.md). The ledger forgets mails
-- that are gone, and a run with nothing to do reads none of it.

-- Is this report there already: asked for each one.
DROP INDEX reports_identity;
CREATE INDEX reports_identity ON reports (domain_id, begin_utc, reporter_id, report_id, end_utc, digest);
-- Which mails are to be tried again: without a look at all others.
CREATE INDEX messages_deferred ON messages (mailbox_id) WHERE outcome = 5;
-- Which of one identity count, and how many do not, of each rank and voice: asked where there is another one of that identity.
CREATE INDEX reports_rivals ON reports (domain_id, begin_utc, reporter_id, report_id, end_utc, is_counted, sender_rank, voice_id);

-- Reports that verdicts know, and that count otherwise since, or are somebody else's word: the next refresh takes them out of what is derived, and
-- judges again what they touch. Emptied by it.
CREATE TABLE recounted_reports (
    report_id   INTEGER PRIMARY KEY,        -- reports
    was_counted INTEGER NOT NULL CHECK (was_counted IN (0, 1)), -- whether it is in what verdicts know
    voice_id    INTEGER                     -- names: whose word it was then; NULL: nobody's
) STRICT;

-- When a run first found it gone from its mailbox; NULL: it was there.
ALTER TABLE messages ADD COLUMN gone_utc INTEGER;
CREATE INDEX messages_gone ON messages (mailbox_id, outcome, gone_utc) WHERE gone_utc IS NOT NULL;
-- Messages of a run that the ledger has forgotten since.
ALTER TABLE runs ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
-- What the mailbox looked like to whoever opens no message, when a run had looked through all of it; NULL: that cannot be told. As long as it looks
-- the same nothing has come.
ALTER TABLE mailboxes ADD COLUMN imprint TEXT;
ALTER TABLE mailboxes ADD COLUMN looked_utc INTEGER NOT NULL DEFAULT 0; -- when that was
ALTER TABLE mailboxes ADD COLUMN messages INTEGER NOT NULL DEFAULT 0; -- messages that were there then
