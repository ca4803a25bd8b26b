-- dmarcstat, schema 1. Every table is explained in docs/SCHEMA.md.
-- Times are seconds since 1970-01-01 UTC (…_utc), days are days since 1970-01-01 UTC.

-- Interned domain names, selectors and other short texts of reports, canonical where they are domains.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Who sends reports: org_name, or the domain of the e-mail address where a report has none.
CREATE TABLE reporters (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Policy domains: those that reports are about.
CREATE TABLE domains (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE               -- canonical: lower case, A-labels, no final dot
) STRICT;

-- Published policies, interned. NULL: the element was absent; '' : it was empty.
CREATE TABLE policies (
    id               INTEGER PRIMARY KEY,
    p                TEXT,
    sp               TEXT,
    np               TEXT,
    adkim            TEXT,
    aspf             TEXT,
    pct              TEXT,
    fo               TEXT,
    testing          TEXT,
    discovery_method TEXT
) STRICT;

-- Where messages come from.
CREATE TABLE mailboxes (
    id         INTEGER PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE         -- canonical path, or account and folder
) STRICT;

CREATE TABLE runs (
    id           INTEGER PRIMARY KEY,
    started_utc  INTEGER NOT NULL,
    finished_utc INTEGER,                   -- NULL: running, or killed
    seen         INTEGER NOT NULL DEFAULT 0,
    stored       INTEGER NOT NULL DEFAULT 0,
    duplicate    INTEGER NOT NULL DEFAULT 0,
    not_a_report INTEGER NOT NULL DEFAULT 0,
    refused      INTEGER NOT NULL DEFAULT 0,
    deferred     INTEGER NOT NULL DEFAULT 0,
    taken_over   INTEGER NOT NULL DEFAULT 0 -- of the refused, those that went over to a run that read them again
) STRICT;

CREATE TABLE messages (
    id         INTEGER PRIMARY KEY,
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes (id),
    key        TEXT NOT NULL,               -- unique in its mailbox
    run_id     INTEGER NOT NULL REFERENCES runs (id),
    seen_utc   INTEGER NOT NULL,
    outcome    INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 5), -- 1 stored 2 duplicate 3 not-a-report 4 refused 5 deferred
    is_settled INTEGER NOT NULL DEFAULT 1 CHECK (is_settled IN (0, 1)), -- 0: it is still to be marked, moved or deleted in its mailbox
    UNIQUE (mailbox_id, key)
) STRICT;
CREATE INDEX messages_unsettled ON messages (mailbox_id) WHERE is_settled = 0;

-- What was not stored and why: a message, one document of it, or some records of a document.
CREATE TABLE refusals (
    id         INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    scope      TEXT NOT NULL CHECK (scope IN ('message', 'document', 'records')),
    code       TEXT NOT NULL,               -- docs/DEVIATIONS.md
    place      TEXT NOT NULL,               -- where the message is, as it was named when it was read
    member     TEXT NOT NULL,               -- attachment and archive member, '' for the message itself
    detail     TEXT NOT NULL,               -- what was found, and which limit
    records    INTEGER NOT NULL DEFAULT 0   -- records refused (scope 'records')
) STRICT;
CREATE INDEX refusals_message ON refusals (message_id);

-- Whole messages that were refused for ending the process that read them: reprocess reads them again.
CREATE TABLE kept_messages (
    message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    run_id     INTEGER NOT NULL REFERENCES runs (id), -- the run that refused it
    is_mail    INTEGER NOT NULL CHECK (is_mail IN (0, 1)), -- 0: a file that counts as a message
    bytes      BLOB NOT NULL                -- gzip
) STRICT;

-- Attachments as they arrived, in their container (plain XML is kept as gzip): a better parser can read history again.
CREATE TABLE raw_documents (
    id    INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL                     -- gzip, zip or zlib
) STRICT;

CREATE TABLE reports (
    id             INTEGER PRIMARY KEY,
    reporter_id    INTEGER NOT NULL REFERENCES reporters (id),
    domain_id      INTEGER NOT NULL REFERENCES domains (id),
    report_id      TEXT NOT NULL,           -- the reporter's id, '' if it gave none
    begin_utc      INTEGER NOT NULL,
    end_utc        INTEGER NOT NULL CHECK (end_utc >= begin_utc),
    day            INTEGER NOT NULL,        -- UTC day of the window's midpoint
    is_spread      INTEGER NOT NULL CHECK (is_spread IN (0, 1)), -- window over 36 hours: records lie on several days
    is_counted     INTEGER NOT NULL CHECK (is_counted IN (0, 1)), -- 0: lost a conflict, in no figure
    digest         BLOB NOT NULL,           -- 16 bytes, content whatever the order of records
    policy_id      INTEGER NOT NULL REFERENCES policies (id),
    standard       TEXT NOT NULL CHECK (standard IN ('rfc7489', 'rfc9990')),
    version        TEXT,
    email          TEXT,
    contact_info   TEXT,
    generator      TEXT,
    errors         TEXT,                    -- one a line
    records        INTEGER NOT NULL,        -- records stored
    messages       INTEGER NOT NULL,        -- messages they speak of
    passed         INTEGER NOT NULL,        -- of them, DKIM or SPF aligned
    deviations     INTEGER NOT NULL,        -- bit n-1: deviation n of docs/DEVIATIONS.md
    refused_records INTEGER NOT NULL,
    message_id     INTEGER REFERENCES messages (id) ON DELETE SET NULL,
    raw_id         INTEGER REFERENCES raw_documents (id) ON DELETE SET NULL, -- NULL: not kept
    member         TEXT NOT NULL,           -- which member of the container, '' for the container itself
    authenticity   INTEGER CHECK (authenticity BETWEEN 0 AND 2), -- 0 unverified 1 verified 2 mismatch; NULL: nothing was to be checked
    mail_from_domain TEXT                   -- canonical domain of the mail's author; NULL: no mail, or not one author
) STRICT;
CREATE INDEX reports_identity ON reports (domain_id, begin_utc, reporter_id, report_id);
CREATE INDEX reports_domain_day ON reports (domain_id, day);
-- Reports that are no witnesses: few, and none where nothing is checked.
CREATE INDEX reports_distrusted ON reports (domain_id, day) WHERE authenticity <> 1;
-- Few reports are spread; what lies on a day may have its midpoint half a year away.
CREATE INDEX reports_spread ON reports (domain_id, day) WHERE is_spread = 1;

-- Raw authentication results, interned as sets: the same few repeat endlessly.
CREATE TABLE authentication_sets (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE             -- 16 bytes
) STRICT;

CREATE TABLE authentication_results (
    set_id       INTEGER NOT NULL REFERENCES authentication_sets (id),
    position     INTEGER NOT NULL,          -- order in the report: all DKIM, then all SPF
    method       TEXT NOT NULL CHECK (method IN ('dkim', 'spf')),
    domain_id    INTEGER REFERENCES names (id), -- NULL: the report gives none
    selector_id  INTEGER REFERENCES names (id), -- DKIM only
    scope        TEXT,                      -- SPF only: mfrom, helo; NULL: not said
    result       TEXT NOT NULL,             -- word of the standard, or unknown
    raw_result   TEXT,                      -- as written, where that differs
    human_result TEXT,
    PRIMARY KEY (set_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX authentication_results_domain ON authentication_results (domain_id);

-- Lists of override reasons, interned as JSON: [["local_policy","arc=pass"],["other",null]].
CREATE TABLE override_sets (
    id      INTEGER PRIMARY KEY,
    reasons TEXT NOT NULL UNIQUE
) STRICT;

-- The facts. Clustered by domain, whether they count, and day, so that a question about failures in a period reads one contiguous piece
-- and no other index is needed. A record of a long window has a row for each day that a share of its count falls on.
CREATE TABLE records (
    domain_id         INTEGER NOT NULL,     -- domains: the policy domain
    counted_as        INTEGER NOT NULL,     -- 0 passed, 1 failed, 2 not counted (its report lost a conflict)
    day               INTEGER NOT NULL,
    report_id         INTEGER NOT NULL,     -- reports
    sequence          INTEGER NOT NULL,     -- place in the document, from 0
    source            BLOB NOT NULL,        -- address in network order: 4 bytes IPv4, 16 bytes IPv6
    messages          INTEGER NOT NULL CHECK (messages BETWEEN 0 AND 1000000000),
    disposition       INTEGER NOT NULL,     -- 0 none, 1 quarantine, 2 reject, 3 pass
    dkim              INTEGER NOT NULL,     -- aligned: 0 fail, 1 pass
    spf               INTEGER NOT NULL,     -- aligned: 0 fail, 1 pass
    header_from_id    INTEGER NOT NULL,     -- names
    envelope_from_id  INTEGER,              -- names; NULL: absent
    envelope_to_id    INTEGER,              -- names; NULL: absent
    authentication_id INTEGER NOT NULL,     -- authentication_sets
    override_id       INTEGER,              -- override_sets; NULL: none
    verdict           INTEGER NOT NULL DEFAULT 2, -- derived: that of its flow. From 2, so that every value takes one byte and is changed in place
    PRIMARY KEY (domain_id, counted_as, day, report_id, sequence)
) STRICT, WITHOUT ROWID;

-- Words of policy_evaluated outside the vocabulary, as written. Rare.
CREATE TABLE odd_words (
    report_id INTEGER NOT NULL REFERENCES reports (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    sequence  INTEGER NOT NULL,
    element   TEXT NOT NULL,
    word      TEXT NOT NULL,
    PRIMARY KEY (report_id, sequence, element)
) STRICT, WITHOUT ROWID;

-- Rollup: every figure over time is read from here. Maintained in the transaction that writes the records.
CREATE TABLE daily (
    domain_id   INTEGER NOT NULL,
    day         INTEGER NOT NULL,
    disposition INTEGER NOT NULL,           -- as in records
    dkim        INTEGER NOT NULL,
    spf         INTEGER NOT NULL,
    messages    INTEGER NOT NULL,
    records     INTEGER NOT NULL,           -- a record of a long window counts on the first of its days
    PRIMARY KEY (domain_id, day, disposition, dkim, spf)
) STRICT, WITHOUT ROWID;

-- Rollup: the distinct sources of each day with messages, sorted, one behind the other. What "how many sources" is counted from.
CREATE TABLE daily_sources (
    domain_id INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    ipv4      BLOB NOT NULL CHECK (length(ipv4) % 4 = 0),   -- 4 bytes each, in network order
    ipv6      BLOB NOT NULL CHECK (length(ipv6) % 16 = 0),  -- 16 bytes each, in network order
    PRIMARY KEY (domain_id, day)
) STRICT, WITHOUT ROWID;

-- Rollup: each source of a policy domain, over all time.
CREATE TABLE sources (
    domain_id INTEGER NOT NULL,
    source    BLOB NOT NULL,
    first_day INTEGER NOT NULL,
    last_day  INTEGER NOT NULL,
    messages  INTEGER NOT NULL,
    passed    INTEGER NOT NULL,
    PRIMARY KEY (domain_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_first_day ON sources (domain_id, first_day);

-- What `purge --keep-daily` keeps of the records that it deletes. The rollups are sums of the records and of these two.
CREATE TABLE kept_daily (
    domain_id   INTEGER NOT NULL,
    day         INTEGER NOT NULL,
    disposition INTEGER NOT NULL,           -- as in records
    dkim        INTEGER NOT NULL,
    spf         INTEGER NOT NULL,
    verdict     INTEGER NOT NULL,           -- as it was when the records were deleted
    messages    INTEGER NOT NULL,
    records     INTEGER NOT NULL,           -- as in daily
    PRIMARY KEY (domain_id, day, disposition, dkim, spf, verdict)
) STRICT, WITHOUT ROWID;

CREATE TABLE kept_sources (
    domain_id INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    source    BLOB NOT NULL,
    messages  INTEGER NOT NULL,
    passed    INTEGER NOT NULL,
    PRIMARY KEY (domain_id, day, source)
) STRICT, WITHOUT ROWID;

-- Everything below is derived from the tables above, by the refresh of verdicts after an ingest.

-- A flow: what one source sends for one policy domain with one outcome of authentication. A verdict is given to a flow. Its sums are those of
-- reports that are verified or were never checked; where there are none, those of the others, and reporter_bits is 0.
CREATE TABLE flows (
    source            BLOB NOT NULL,        -- as in records
    domain_id         INTEGER NOT NULL,     -- domains: the policy domain
    authentication_id INTEGER NOT NULL,     -- authentication_sets
    aligned           INTEGER NOT NULL,     -- 0 nothing, 1 SPF, 2 DKIM, 3 both
    messages          INTEGER NOT NULL,     -- messages
    records           INTEGER NOT NULL,     -- rows of records
    first_day         INTEGER NOT NULL,     -- first day
    last_day          INTEGER NOT NULL,     -- last day
    reporter_bits     INTEGER NOT NULL,     -- each reporter's name sets one of 64 bits: about how many saw it
    day_bits          INTEGER NOT NULL,     -- each day sets one of 64 bits
    overrides         INTEGER NOT NULL,     -- records that a reporter overrode, capped: forwarded + 2^20 mailing_list + 2^40 arc=pass
    verdict           INTEGER NOT NULL,     -- 2 unknown 3 authorized 4 dkim-only 5 forwarded 6 mailing-list 7 misconfigured 8 unaligned 9 spoofed
    confidence        INTEGER NOT NULL,     -- per mille
    notes             INTEGER NOT NULL,     -- bits: VerdictNotes
    evidence          INTEGER NOT NULL,     -- bits: EvidenceCodes
    PRIMARY KEY (source, domain_id, authentication_id, aligned)
) STRICT, WITHOUT ROWID;
CREATE INDEX flows_authentication ON flows (authentication_id, messages, verdict);

-- Where each selector is seen: beside aligned SPF (at home with you), beside the SPF of somebody else (a service, a forwarder), beside none.
CREATE TABLE selector_places (
    domain_id     INTEGER NOT NULL,         -- names: d= of the signature
    selector_id   INTEGER NOT NULL,         -- names; 0: the reports do not say
    policy_id     INTEGER NOT NULL,         -- domains: for whom
    beside        INTEGER NOT NULL,         -- 0 own SPF, aligned; -1 own SPF that fails; -2 none or an error; -3 foreign SPF that fails; else names: the organisation whose SPF passes
    verified      INTEGER NOT NULL,         -- 1 the signature passed, 0 it did not
    messages      INTEGER NOT NULL,         -- messages
    records       INTEGER NOT NULL,         -- rows of records
    first_day     INTEGER NOT NULL,         -- first day
    last_day      INTEGER NOT NULL,         -- last day
    reporter_bits INTEGER NOT NULL,         -- as in flows
    PRIMARY KEY (domain_id, selector_id, policy_id, beside, verified)
) STRICT, WITHOUT ROWID;
CREATE INDEX selector_places_beside ON selector_places (beside) WHERE beside > 0;

-- Where each selector is at home, as shares of selector_places.
CREATE TABLE selectors (
    domain_id   INTEGER NOT NULL,           -- as in selector_places
    selector_id INTEGER NOT NULL,           -- as in selector_places
    policy_id   INTEGER NOT NULL,           -- as in selector_places
    home        INTEGER NOT NULL,           -- 0 with you; names: an organisation; -1 nowhere
    other_home  INTEGER NOT NULL,           -- a second one; -1 none
    levels      INTEGER NOT NULL,           -- what verdicts use of the sums: powers of two, five bits each
    PRIMARY KEY (domain_id, selector_id, policy_id)
) STRICT, WITHOUT ROWID;

-- Names of reports by their organisational domain (libpsl).
CREATE TABLE organisation_names (
    organisation_id INTEGER NOT NULL,       -- names
    name_id         INTEGER NOT NULL,       -- names
    PRIMARY KEY (organisation_id, name_id)
) STRICT, WITHOUT ROWID;

-- The results of sets in keys, with the organisations of their names: one row for 64 sets, written when all of them are there.
CREATE TABLE keyed_results (
    chunk   INTEGER PRIMARY KEY,            -- authentication_sets: those with the keys from 64 times this on
    results BLOB NOT NULL                   -- how many results each set has, in 4 bytes, then 13 bytes for each
) STRICT;

-- What is known of organisations that authenticate beside a foreign domain in From: services, forwarders, lists, strangers.
CREATE TABLE organisations (
    name_id       INTEGER PRIMARY KEY,      -- names: an organisational domain
    surviving     INTEGER NOT NULL,         -- records with a signature of the policy domain that passed
    broken        INTEGER NOT NULL,         -- records with such a signature that did not
    unsigned      INTEGER NOT NULL,         -- records with none
    messages      INTEGER NOT NULL,         -- messages
    first_day     INTEGER NOT NULL,         -- first day
    last_day      INTEGER NOT NULL,         -- last day
    reporter_bits INTEGER NOT NULL,         -- as in flows
    day_bits      INTEGER NOT NULL,         -- as in flows
    domain_bits   INTEGER NOT NULL,         -- each policy domain's name sets one of 64 bits
    source_bits   INTEGER NOT NULL,         -- each source sets one of 64 bits
    signs         INTEGER NOT NULL,         -- records with a passing signature of its own
    relayed       INTEGER NOT NULL,         -- of the surviving, those whose selector is at home elsewhere
    levels        INTEGER NOT NULL,         -- what verdicts use of these: powers of two, five bits each
    more_levels   INTEGER NOT NULL          -- the same, continued
) STRICT;

-- What is known of policy domains.
CREATE TABLE domain_habits (
    domain_id     INTEGER PRIMARY KEY,      -- domains
    records       INTEGER NOT NULL,         -- rows of records
    aligned       INTEGER NOT NULL,         -- of them, with aligned SPF
    signed        INTEGER NOT NULL,         -- of those with aligned SPF, with a passing signature of its own
    reporter_bits INTEGER NOT NULL,         -- as in flows
    day_bits      INTEGER NOT NULL,         -- as in flows
    levels        INTEGER NOT NULL          -- what verdicts use of these: powers of two, five bits each
) STRICT;

-- The rate that you can do something about is read from here.
CREATE TABLE daily_verdicts (
    domain_id INTEGER NOT NULL,             -- domains
    verdict   INTEGER NOT NULL,             -- as in flows
    day       INTEGER NOT NULL,             -- the day
    messages  INTEGER NOT NULL,             -- messages
    passed    INTEGER NOT NULL,             -- those that passed DMARC
    PRIMARY KEY (domain_id, verdict, day)
) STRICT, WITHOUT ROWID;

-- How far the verdicts have come: one row.
CREATE TABLE verdict_state (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    report_id INTEGER NOT NULL,             -- reports up to this one are in them
    rules     TEXT NOT NULL,                -- version of the rules, of the table of services and of the list of public suffixes
    suffixes  TEXT NOT NULL,                -- the file of public suffixes they were made with; '': the distribution's
    is_stale  INTEGER NOT NULL CHECK (is_stale IN (0, 1)) -- 1: a report that is in them is not counted any more: all are to be made anew
) STRICT;
INSERT INTO verdict_state (id, report_id, rules, suffixes, is_stale) VALUES (1, 0, '', '', 0);

-- Views: the stable way in for SQL of your own (docs/SCHEMA.md). Only counted reports, words instead of codes, addresses as text.
CREATE VIEW v_daily AS
SELECT d.name AS domain,
       date(r.day * 86400, 'unixepoch') AS day,
       CASE r.disposition WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' ELSE 'pass' END AS disposition,
       CASE r.dkim WHEN 1 THEN 'pass' ELSE 'fail' END AS dkim,
       CASE r.spf WHEN 1 THEN 'pass' ELSE 'fail' END AS spf,
       r.messages,
       r.records
FROM daily r JOIN domains d ON d.id = r.domain_id;

-- IPv4 as 192.0.2.1, IPv6 as eight full groups: SQLite has no function for either, so each byte is looked up among the hexadecimal digits.
CREATE VIEW v_sources AS
SELECT d.name AS domain,
       CASE length(s.source)
           WHEN 4 THEN printf('%d.%d.%d.%d',
               (instr('0123456789ABCDEF', substr(hex(s.source), 1, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(s.source), 2, 1)) - 1,
               (instr('0123456789ABCDEF', substr(hex(s.source), 3, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(s.source), 4, 1)) - 1,
               (instr('0123456789ABCDEF', substr(hex(s.source), 5, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(s.source), 6, 1)) - 1,
               (instr('0123456789ABCDEF', substr(hex(s.source), 7, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(s.source), 8, 1)) - 1)
           ELSE lower(
               substr(hex(s.source), 1, 4) || ':' || substr(hex(s.source), 5, 4) || ':' || substr(hex(s.source), 9, 4) || ':' ||
               substr(hex(s.source), 13, 4) || ':' || substr(hex(s.source), 17, 4) || ':' || substr(hex(s.source), 21, 4) || ':' ||
               substr(hex(s.source), 25, 4) || ':' || substr(hex(s.source), 29, 4))
       END AS source,
       date(s.first_day * 86400, 'unixepoch') AS first_day,
       date(s.last_day * 86400, 'unixepoch') AS last_day,
       s.messages,
       s.passed
FROM sources s JOIN domains d ON d.id = s.domain_id;

-- One row a record and day: a record of a long window has several, and its messages are their sum.
-- SPF: the first check. DKIM: the first signature that verified, else the first one.
CREATE VIEW v_records AS
SELECT d.name AS domain,
       date(r.day * 86400, 'unixepoch') AS day,
       o.name AS reporter,
       p.report_id,
       r.report_id AS report,
       r.sequence AS record,
       CASE length(r.source)
           WHEN 4 THEN printf('%d.%d.%d.%d',
               (instr('0123456789ABCDEF', substr(hex(r.source), 1, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(r.source), 2, 1)) - 1,
               (instr('0123456789ABCDEF', substr(hex(r.source), 3, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(r.source), 4, 1)) - 1,
               (instr('0123456789ABCDEF', substr(hex(r.source), 5, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(r.source), 6, 1)) - 1,
               (instr('0123456789ABCDEF', substr(hex(r.source), 7, 1)) - 1) * 16 + instr('0123456789ABCDEF', substr(hex(r.source), 8, 1)) - 1)
           ELSE lower(
               substr(hex(r.source), 1, 4) || ':' || substr(hex(r.source), 5, 4) || ':' || substr(hex(r.source), 9, 4) || ':' ||
               substr(hex(r.source), 13, 4) || ':' || substr(hex(r.source), 17, 4) || ':' || substr(hex(r.source), 21, 4) || ':' ||
               substr(hex(r.source), 25, 4) || ':' || substr(hex(r.source), 29, 4))
       END AS source,
       r.messages,
       CASE r.disposition WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' ELSE 'pass' END AS disposition,
       CASE r.dkim WHEN 1 THEN 'pass' ELSE 'fail' END AS dkim,
       CASE r.spf WHEN 1 THEN 'pass' ELSE 'fail' END AS spf,
       r.counted_as = 0 AS passed,
       h.name AS header_from,
       f.name AS envelope_from,
       t.name AS envelope_to,
       (SELECT n.name FROM authentication_results a LEFT JOIN names n ON n.id = a.domain_id
        WHERE a.set_id = r.authentication_id AND a.method = 'spf' ORDER BY a.position LIMIT 1) AS spf_domain,
       (SELECT a.result FROM authentication_results a
        WHERE a.set_id = r.authentication_id AND a.method = 'spf' ORDER BY a.position LIMIT 1) AS spf_result,
       (SELECT n.name FROM authentication_results a LEFT JOIN names n ON n.id = a.domain_id
        WHERE a.set_id = r.authentication_id AND a.method = 'dkim' ORDER BY a.result <> 'pass', a.position LIMIT 1) AS dkim_domain,
       (SELECT n.name FROM authentication_results a LEFT JOIN names n ON n.id = a.selector_id
        WHERE a.set_id = r.authentication_id AND a.method = 'dkim' ORDER BY a.result <> 'pass', a.position LIMIT 1) AS dkim_selector,
       (SELECT a.result FROM authentication_results a
        WHERE a.set_id = r.authentication_id AND a.method = 'dkim' ORDER BY a.result <> 'pass', a.position LIMIT 1) AS dkim_result,
       w.reasons AS overrides
FROM records r
    JOIN domains d ON d.id = r.domain_id
    JOIN reports p ON p.id = r.report_id
    JOIN reporters o ON o.id = p.reporter_id
    JOIN names h ON h.id = r.header_from_id
    LEFT JOIN names f ON f.id = r.envelope_from_id
    LEFT JOIN names t ON t.id = r.envelope_to_id
    LEFT JOIN override_sets w ON w.id = r.override_id
WHERE r.counted_as IN (0, 1);
