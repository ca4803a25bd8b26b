import DMARC

/// Raw results and override reasons. They are decoded once for each distinct series of bytes in a batch.
extension ReportBuilder {
    mutating func internAuthentication() -> UInt32 {
        let (index, isNew) = authTable.intern(authKey.all)
        if isNew {
            let set = decodeAuthentication()
            batch.authentications.append(set)
            batch.authenticationDigests.append(Self.digest(of: set))
            var flags: UInt8 = 0
            if set.dkim.contains(where: { $0.result == .pass }) { flags |= 1 }
            if set.spf.contains(where: { $0.result == .pass }) { flags |= 2 }
            authFlags.append(flags)
        }
        return index
    }

    mutating func decodeAuthentication() -> AuthenticationSet {
        var raw: [RawResult] = []
        authKey.forEach { tag, bytes in
            let value = String(decoding: bytes, as: UTF8.self)
            switch tag {
            case 1, 2: raw.append(RawResult(isDKIM: tag == 1))
            default:
                guard !raw.isEmpty else { return }
                raw[raw.count - 1].set(tag, value)
            }
        }
        var set = AuthenticationSet()
        for result in raw {
            if result.isDKIM { append(dkim: result, to: &set) } else { append(spf: result, to: &set) }
        }
        return set
    }

    mutating func append(dkim raw: RawResult, to set: inout AuthenticationSet) {
        let domain = domain(raw.domain, missing: .emptySignature)
        // A shell says nothing; a result without a domain is kept, and matches nothing.
        if domain == nil, raw.result?.isEmpty ?? true { return }
        let selector = raw.selector.flatMap { $0.isEmpty ? nil : $0 }
        if selector == nil { deviations.insert(.noSelector) }
        let (result, word) = authenticationResult(raw.result, isSPF: false)
        let dkim = DKIMResult(domain: domain, selector: selector, result: result, rawResult: word, humanResult: nonEmpty(raw.human))
        if set.dkim.contains(dkim) { deviations.insert(.repeatedSignature) } else { set.dkim.append(dkim) }
    }

    mutating func append(spf raw: RawResult, to set: inout AuthenticationSet) {
        let domain = domain(raw.domain, missing: .noSPFDomain)
        var scope: SPFScope?
        if let word = raw.scope?.lowercased(), let known = SPFScope(rawValue: word) {
            scope = known
            if word != raw.scope { deviations.insert(.letterCase) }
            if known == .helo { deviations.insert(.oddScope) }
        } else if raw.scope?.isEmpty ?? true {
            deviationsOfRFC7489.insert(.oddScope)
        } else {
            deviations.insert(.oddScope)
        }
        let (result, word) = authenticationResult(raw.result, isSPF: true)
        set.spf.append(SPFResult(domain: domain, scope: scope, result: result, rawResult: word, humanResult: nonEmpty(raw.human)))
    }

    func nonEmpty(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    mutating func domain(_ text: String?, missing: Deviation) -> String? {
        guard let text, !text.isEmpty, text != "NULL" else {
            deviations.insert(missing)
            return nil
        }
        return canonicalDomain(text)
    }

    /// The words of the standards, and those that are in use for them (STANDARDS: RFC 7489 notes `unknown` and `error` itself).
    mutating func authenticationResult(_ text: String?, isSPF: Bool) -> (AuthenticationResult, raw: String?) {
        let written = text ?? ""
        if let known = AuthenticationResult(rawValue: written), known != .unknown, isSPF || known != .softfail { return (known, nil) }
        let lower = written.lowercased()
        if let known = AuthenticationResult(rawValue: lower), known != .unknown, isSPF || known != .softfail {
            deviations.insert(.letterCase)
            return (known, nil)
        }
        deviations.insert(.oddAuthResult)
        let meant: AuthenticationResult =
            switch (lower, isSPF) {
            case ("hardfail", true): .fail
            case ("unknown", true): .temperror
            case ("error", true): .permerror
            case ("invalid", false): .temperror
            default: .unknown
            }
        return (meant, String(written.prefix(256)))
    }

    static func digest(of set: AuthenticationSet) -> ContentDigest {
        var digest = ContentDigest()
        func append(_ text: String?) {
            if let text { digest.append(ContentDigest(of: text)) } else { digest.append(2) }
        }
        for dkim in set.dkim {
            digest.append(3)
            for text in [dkim.domain, dkim.selector, dkim.result.rawValue, dkim.rawResult, dkim.humanResult] { append(text) }
        }
        for spf in set.spf {
            digest.append(4)
            for text in [spf.domain, spf.scope?.rawValue, spf.result.rawValue, spf.rawResult, spf.humanResult] { append(text) }
        }
        return digest
    }

    /// Reasons without a type are none; a bare text in `reason` is the type.
    mutating func internOverrides() -> UInt32 {
        let (index, isNew) = reasonTable.intern(reasonKey.all)
        if isNew {
            var raw: [(type: String?, comment: String?, bare: String?)] = []
            reasonKey.forEach { tag, bytes in
                let value = String(decoding: bytes, as: UTF8.self)
                if tag == 1 { raw.append((nil, nil, nil)) }
                guard !raw.isEmpty else { return }
                switch tag {
                case 2: raw[raw.count - 1].type = raw[raw.count - 1].type ?? value
                case 3: raw[raw.count - 1].comment = raw[raw.count - 1].comment ?? value
                case 4: raw[raw.count - 1].bare = value
                default: break
                }
            }
            var list: [PolicyOverride] = []
            for reason in raw {
                if nonEmpty(reason.type) == nil || reason.comment == "" { deviations.insert(.looseReason) }
                guard let type = nonEmpty(reason.type) ?? reason.bare else {
                    if let comment = nonEmpty(reason.comment) { list.append(PolicyOverride(type: "other", comment: comment)) }
                    continue
                }
                let lower = type.lowercased()
                if lower != type { deviations.insert(.letterCase) }
                list.append(PolicyOverride(type: lower, comment: nonEmpty(reason.comment)))
            }
            reasonIndexes.append(list.isEmpty ? Record.absent : UInt32(batch.overrides.count))
            if !list.isEmpty {
                var digest = ContentDigest()
                for reason in list {
                    digest.append(ContentDigest(of: reason.type))
                    digest.append(reason.comment.map { ContentDigest(of: $0) } ?? ContentDigest())
                }
                batch.overrides.append(list)
                reasonDigests.append(digest)
            }
        }
        return reasonIndexes[Int(index)]
    }
}

/// One element of `auth_results` before its words are understood.
struct RawResult {
    let isDKIM: Bool
    var domain: String?
    var selector: String?
    var scope: String?
    var result: String?
    var human: String?

    init(isDKIM: Bool) { self.isDKIM = isDKIM }

    /// The first of a repeated element counts.
    mutating func set(_ tag: UInt8, _ value: String) {
        switch tag {
        case 3: domain = domain ?? value
        case 4: selector = selector ?? value
        case 5: scope = scope ?? value
        case 6: result = result ?? value
        case 7: human = human ?? value
        default: break
        }
    }
}
