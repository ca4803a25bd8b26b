import Store

/// Deletes reports, and brings everything that rests on them up to date in the same transaction.
public struct Retention: Sendable {
    private let refresh: VerdictRefresh

    /// - Parameter suffixFile: as for `VerdictRefresh`.
    public init(suffixFile: String? = nil) { refresh = VerdictRefresh(suffixFile: suffixFile) }

    /// Purges `store`; with `isDryRun` only says what would be deleted. The caller holds the lock of the database.
    public func purge(_ store: ReportStore, _ selection: ReportSelection, _ extent: PurgeExtent, isDryRun: Bool) throws -> PurgeOutcome {
        try purge(store, selection, extent, isDryRun: isDryRun, at: { _ in })
    }

    /// The same, calling `step` on the way.
    package func purge(
        _ store: ReportStore, _ selection: ReportSelection, _ extent: PurgeExtent, isDryRun: Bool, at step: (PurgeStep) throws -> Void
    ) throws -> PurgeOutcome {
        // The figures by verdict that are kept are those of today's verdicts.
        if extent == .allButDaily, !isDryRun, try refresh.isNeeded(store) { _ = try refresh.run(store) }
        do {
            return try store.purge(selection, extent, isDryRun: isDryRun, at: step) { db in try refresh.rebuild(in: db) }
        } catch let error as StoreError {
            throw error
        } catch {
            try store.storing { throw error }
            throw error
        }
    }
}
