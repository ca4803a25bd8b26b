import Doctor
import Inference
import Ingest
import Refresh
import Store

/// Puts a damaged database right: facts from the documents that were kept, everything else from the facts.
enum DatabaseRepair {
    /// What was done.
    struct Outcome {
        /// The copy that was made before.
        var backup: String
        /// Reports that were read from their documents again.
        var reports: Int
        /// Reports that are damaged and have no document to be read from.
        var left: Int
        /// Triggers of others that were removed.
        var triggers: Int

        var words: String {
            var words = "\(reports) reports read from their documents again, everything that is derived made anew"
            if triggers > 0 { words += ", \(triggers) foreign triggers removed" }
            if left > 0 { words += "; \(left) damaged reports have no document of their own and stay as they are" }
            return words + "; as it was before: \(backup)"
        }
    }

    /// Does it. The caller holds the lock.
    static func run(_ store: ReportStore, _ configuration: Configuration, now: Int) throws -> Outcome {
        if let page = try DatabaseCheck.damagedPage(store) {
            throw StoreError(code: .databaseDamaged, place: store.path, found: page)
        }
        let backup = "\(store.path).before-repair-\(now)"
        _ = try store.backup(to: backup, isSound: false)
        let damage = try ContentDamage.find(store)
        let preparation = try store.storing {
            try store.write { try $0.prepareRepair(reports: damage.reports, sets: damage.sets) }
        }
        let repair = Reprocess.Repair(reports: preparation.reports, hasStrayRows: damage.strayRows > 0)
        let read = try Reprocess(store: store, options: configuration.ingestOptions(now: now), repair: repair)
            .run(ReportSelection(), isDryRun: false)
        let giver = configuration.ingestOptions(now: now).givers()
        try store.storing {
            try store.write { writer in
                writer.giver = giver
                try writer.rebuildSums()
            }
        }
        _ = try VerdictRefresh(suffixFile: configuration.publicSuffixList).run(store, rebuild: true)
        let left = try ContentDamage.find(store).reports.count
        return Outcome(backup: backup, reports: read.changed + read.duplicate, left: left, triggers: preparation.triggers)
    }
}
