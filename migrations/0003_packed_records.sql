-- Schema 3. What questions about all records of a period read instead of a row for each of them.
CREATE TABLE packed_records (
    domain_id  INTEGER NOT NULL,            -- domains: the policy domain
    day        INTEGER NOT NULL,
    counted_as INTEGER NOT NULL,            -- as in records: 0 passed, 1 failed
    piece      INTEGER NOT NULL,            -- from 0: a day's records stand in pieces of under 2 KB, so that each lies whole on a page
    ipv4       BLOB NOT NULL CHECK (length(ipv4) % 21 = 0), -- records of sources with 4 bytes, in no order (docs/SCHEMA.md)
    ipv6       BLOB NOT NULL CHECK (length(ipv6) % 33 = 0), -- the same of sources with 16 bytes
    PRIMARY KEY (domain_id, day, counted_as, piece)
) STRICT, WITHOUT ROWID;
-- They are derived, as verdicts are, and come with these.
UPDATE verdict_state SET is_stale = 1 WHERE report_id > 0;
-- So are the results of sets in keys, which say more from now on.
DELETE FROM keyed_results;
