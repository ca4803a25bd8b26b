import DMARC

/// `DMARC.Record`, by a name that GRDB, which has a `Record` of its own, leaves free.
typealias ReportRecord = Record
