-- Schema 4. Whose word a report is, since when it is heard, and whose word counts (docs/decisions/0013-voices.md).

-- Who speaks: the organisational domain of the mail's author, else that of the report's e-mail address; '' where neither is named.
-- NULL: nobody (a mismatch), or stored before voices were noted, and not looked at since.
ALTER TABLE reports ADD COLUMN voice_id INTEGER REFERENCES names (id);
-- When the mail arrived. NULL: no mail, or stored before this was noted: the end of the window stands for it.
ALTER TABLE reports ADD COLUMN arrived_utc INTEGER;
-- Whose report stays in the figures where two have one identity: 4 verified, 3 unchecked, 2 from elsewhere than it says, and not checked or
-- authentic, 1 unverified, 0 mismatch. NULL: stored before this was noted: by authenticity.
ALTER TABLE reports ADD COLUMN sender_rank INTEGER CHECK (sender_rank BETWEEN 0 AND 4);

-- Who has had a name that is no domain, and since when.
CREATE INDEX reports_verified ON reports (reporter_id, voice_id, arrived_utc) WHERE authenticity = 1;

-- Derived, as verdicts are: how long each voice is known, by when its mails arrived.
CREATE TABLE voices (
    voice_id INTEGER PRIMARY KEY,           -- names
    days     BLOB NOT NULL CHECK (length(days) % 4 = 0), -- the first seven days on which its reports arrived, ascending, 4 bytes each
    last_day INTEGER NOT NULL               -- the last such day
) STRICT;

-- Derived: what each voice says of the owner's own senders.
CREATE TABLE voice_organisations (
    organisation_id INTEGER NOT NULL,       -- names: the organisational domain of policy domains
    voice_id        INTEGER NOT NULL,       -- names
    networks        BLOB NOT NULL CHECK (length(networks) % 4 = 0), -- networks whose mail it says is aligned, hashed: the lowest 64 hashes
    standing        INTEGER NOT NULL CHECK (standing BETWEEN 0 AND 2), -- 0 newcomer, 1 believed with others while the store is young, 2 witness
    PRIMARY KEY (organisation_id, voice_id)
) STRICT, WITHOUT ROWID;

-- Derived: counted reports that teach verdicts nothing, because their voice is no witness, or because they are unverified or a mismatch.
CREATE TABLE unheard_reports (
    domain_id INTEGER NOT NULL,             -- domains: the policy domain
    report_id INTEGER NOT NULL,             -- reports
    voice_id  INTEGER,                      -- names; NULL: nobody
    PRIMARY KEY (domain_id, report_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX unheard_reports_voice ON unheard_reports (voice_id);

-- Verdicts are made anew with what is known of voices.
UPDATE verdict_state SET is_stale = 1 WHERE report_id > 0;
