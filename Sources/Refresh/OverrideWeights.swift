import GRDB
import Inference
import Store

/// What overrides say about forwarding.
struct OverrideWeights {
    /// Bits: 1 `forwarded` and `trusted_forwarder`, 2 `mailing_list`, 4 `local_policy` with `arc=pass`, 8 the receiver made an exception, of
    /// these or of other reasons.
    typealias Weight = UInt8

    private var lookup: OverrideLookup
    private var known: [Int: Weight] = [:]

    init(_ db: Database) { lookup = OverrideLookup(Facts(db)) }

    mutating func weight(_ id: Int) throws -> Weight {
        if let weight = known[id] { return weight }
        var weight: Weight = 0
        for reason in try lookup.reasons(id) {
            if reason.isException { weight |= 8 }
            switch reason.type {
            case "forwarded", "trusted_forwarder": weight |= 1
            case "mailing_list": weight |= 2
            case "local_policy" where Self.saysARCPassed(reason.comment ?? ""): weight |= 4
            default: break
            }
        }
        known[id] = weight
        return weight
    }

    /// What a record adds to `flows.overrides`.
    static func sum(_ weight: Weight) -> Int { Int(weight & 1) | Int(weight & 2) << 19 | Int(weight & 4) << 38 }

    /// RFC 8617 §7.2: `arc=pass` at the beginning of a word; `arc=fail` and other comments are not it.
    static func saysARCPassed(_ comment: String) -> Bool {
        comment.lowercased().split { " \t;,()".contains($0) }.contains("arc=pass")
    }
}
