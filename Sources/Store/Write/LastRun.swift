import GRDB

extension ReportStore {
    /// When the last run began or ended, in seconds since 1970 by the clock of then; nil where there was none.
    public func lastRun() throws(StoreError) -> Int? {
        try storing {
            try queue.read { db in
                try Int.fetchOne(db, sql: "SELECT max(started_utc, ifnull(finished_utc, started_utc)) FROM runs ORDER BY id DESC LIMIT 1")
            }
        }
    }

    /// The latest end of a report, in seconds since 1970, among the thousand stored last; nil where there is none.
    ///
    /// Reports of a run that was later than `lastRun` do not count, for the clock was wrong then; nor those that ended more than `futureSeconds`
    /// after they were stored: a stranger made them, and other limits let them in.
    public func newestReportEnd(notAfter lastRun: Int, futureSeconds: Int) throws(StoreError) -> Int? {
        try storing {
            try queue.read { db in
                let sql = """
                    SELECT max(end_utc) FROM (
                        SELECT r.end_utc, m.seen_utc FROM reports r JOIN messages m ON m.id = r.message_id ORDER BY r.id DESC LIMIT 1000
                    ) WHERE seen_utc <= ? AND end_utc <= seen_utc + ?
                    """
                return try Int.fetchOne(db, sql: sql, arguments: [lastRun, futureSeconds])
            }
        }
    }
}
