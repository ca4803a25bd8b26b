-- Schema 2. Questions about who reported when, and with which policy, read the index alone: rows of reports are long and lie far apart.
DROP INDEX reports_domain_day;
CREATE INDEX reports_domain_day ON reports (domain_id, day, is_counted, reporter_id, policy_id);
