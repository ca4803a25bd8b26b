import DMARC
import Organisations

/// Which finding of `advise` fits a row of a table.
public enum Advice {
    /// The code, empty where there is nothing to say.
    ///
    /// | code | verdict |
    /// |---|---|
    /// | `A1` | forwarded |
    /// | `A2` | mailing list |
    /// | `B1`, `B2` | authorized, without a signature; with one that does not verify |
    /// | `C1`, `C3` | unaligned: a service; a web host |
    /// | `D1`, `D2` | spoofed: something was delivered; nothing was |
    /// | `M1` | misconfigured |
    ///
    /// - Parameters:
    ///   - service: the kind of the well-known service behind the source, if any.
    ///   - delivered: failed messages with disposition `none` or `pass`.
    public static func code(verdict: Verdict, notes: VerdictNotes, service: ServiceKind?, delivered: Int) -> String {
        switch verdict {
        case .authorized: notes.contains(.dkimMissing) ? "B1" : notes.contains(.dkimBroken) ? "B2" : ""
        case .forwarded: "A1"
        case .mailingList: "A2"
        case .misconfigured: "M1"
        case .unaligned: service == .hosting ? "C3" : "C1"
        case .spoofed: delivered > 0 ? "D1" : "D2"
        case .dkimOnly, .unknown: ""
        }
    }
}
