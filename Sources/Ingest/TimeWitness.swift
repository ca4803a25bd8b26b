import Mail

/// Who may be believed about the present, beside the clock of this machine.
///
/// A clock that lost its time would have every report refused as one of the future, and deleted where that is what becomes of refused mail. So what
/// others say of the time is heard: those who deliver mail may say that our clock is wrong; a stranger may say it of their own mail only.
package struct TimeWitness {
    /// Seconds by which clocks may differ, and ours may be set back, without anything being wrong.
    package static let toleranceSeconds = 3600
    /// Mails that must agree. One server with a wrong clock, for one moment, is no witness, unless there is no other.
    static let deliveries = 3
    /// Days after the present by our clock in which the present may lie: a machine that lost its time takes that of its making, and is not
    /// believed before 2012 at all.
    private static let horizonDays = 25 * 366

    /// The present by our clock, in seconds since 1970.
    var now: Int
    /// Days after it in which a report may end.
    var futureDays: Int

    /// Whether a report that ends in the future, by our clock, may be one of the past. Not if its own mail is older: `claimed` is the latest time that
    /// the mail or whoever delivered it names.
    func blamesClock(end: Int, claimed: Int?) -> Bool {
        guard end <= now + Self.horizonDays * 86400 else { return false }
        return claimed.map { end <= $0 + futureDays * 86400 } ?? true
    }

    /// The time at which mail was delivered that is not there yet by our clock; nil if our clock may be right.
    static func contradiction(of mailbox: any Mailbox, now: Int) -> Int? {
        // The third; where there are fewer, the last of those. A server that counts time wrongly, such as from 1900, is none.
        let times = mailbox.newestDeliveries(deliveries + 13).filter { $0 <= now + horizonDays * 86400 }
        guard let witness = times.prefix(deliveries).last, witness > now + toleranceSeconds else { return nil }
        return witness
    }
}
