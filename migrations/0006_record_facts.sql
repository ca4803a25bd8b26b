-- Schema 6. A verdict stands on its flow, and in the packed record, not on each record as well. A packed record says whether it is the first share
-- of its record, and whether the receiver made an exception, so that questions about all records of a period read nothing else.
ALTER TABLE records DROP COLUMN verdict;
-- The packed records of before do not say it.
UPDATE verdict_state SET is_stale = 1 WHERE report_id > 0;
