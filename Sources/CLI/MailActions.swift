import Mail

/// What is done with the mails of a mailbox, for each of the three kinds that they can be of.
struct MailActions: Equatable {
    /// Mails all of whose reports are stored or duplicates.
    var after = AfterAction.leave
    /// Mails of which anything was refused.
    var afterRefused = AfterAction.leave
    /// Mails without a report.
    var afterOther = AfterAction.leave

    private var all: [AfterAction] { [after, afterRefused, afterOther] }

    /// Whether the mailbox is changed at all.
    var change: Bool { all.contains { $0 != .leave } }

    /// The folders that mail is moved to.
    var folders: [String] {
        all.compactMap { action in
            if case .move(let folder) = action { return folder }
            return nil
        }
    }
}
