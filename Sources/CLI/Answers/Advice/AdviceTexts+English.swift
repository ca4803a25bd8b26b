import Advice
import DMARC
import Questions
import Store

/// Findings in English.
struct EnglishAdvice: AdviceTexts {
    let writer: AdviceWriter

    init(most: Int) {
        writer = AdviceWriter(
            thousands: ",", decimalPoint: ".",
            months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], and: "and",
            others: { "\($0) others" }, most: most)
    }

    let labels = (seen: "Seen:", meaning: "Means:", step: "Do:", dns: "DNS:", check: "Check:", more: "More:")

    let moreHint = "--all also explains what is fine."

    let closing = "dmarcstat explain SOURCE shows the evidence behind a verdict."

    func word(_ severity: Severity) -> String {
        switch severity {
        case .act: "to do"
        case .watch: "to watch"
        case .fine: "fine"
        }
    }

    func heading(_ advice: DomainAdvice, _ period: Period?) -> String {
        let days = period.map { ", " + writer.period($0) } ?? ""
        return
            "\(DomainName.readable(advice.domain))\(days), \(messages(advice.messages)) in \(writer.count(advice.reports, "report", "reports"))"
    }

    func counts(_ advice: DomainAdvice) -> String {
        guard !advice.findings.isEmpty else {
            return advice.reports == 0 && advice.newcomers > 0
                ? "Nothing to say yet: whoever reports has to be known for two weeks." : "Nothing to say: all is as it should be."
        }
        let parts = Severity.allCases.compactMap { severity in
            let count = advice.findings.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(word(severity))"
        }
        return writer.count(advice.findings.count, "finding", "findings") + ": " + parts.joined(separator: ", ")
    }

    func leftOut(_ messages: Int) -> String {
        "Not heard: reports whose sender could not be verified, about \(writer.count(messages, "message", "messages"))."
    }

    func newcomers(_ messages: Int, _ voices: Int) -> String {
        "Not heard yet: \(writer.count(messages, "message", "messages")) from \(writer.count(voices, "new reporter", "new reporters"))."
    }

    func outlier(_ report: OutlyingReport) -> String {
        "One report of \(report.reporter) says \(messages(report.messages)); everybody else together \(writer.number(report.others))."
    }

    func nobodyChecked(_ line: String) -> String {
        "Nobody checks whom a report comes from. Add to the configuration, below [authenticity], with the name of your mail server: \(line)"
    }

    func quiet(_ names: [String]) -> String { "Nothing to do for \(writer.list(names))." }

    func instruction(_ change: DNSChange) -> String {
        let name = change.name
        let isSPF = !name.hasPrefix("_dmarc.")
        switch change.action {
        case .publish: return change.type == "MX" ? "\(name) MX \(change.value)" : "\(name) TXT \"\(change.value)\""
        case .insert:
            return isSPF
                ? "\(name) TXT, in the record that begins with v=spf1, before the last word (all), add: \(change.value)"
                : "\(name) TXT, in the record that begins with v=DMARC1, add at the end: ; \(change.value)"
        case .replace:
            return
                "\(name) TXT, change \(change.replaces ?? "") into \(change.value); leave the rest\(isSPF ? "" : " (such as rua=)") as it is"
        case .remove: return "\(name) TXT, take out \(change.value); leave the rest as it is"
        }
    }

    func panelNote(names: [String], zone: String) -> String {
        "In the panels of TransIP, Antagonist and Cloudflare the name is \(writer.list(names)), because they add \(DomainName.readable(zone)) themselves; paste the value without quotation marks."
    }

    private func messages(_ count: Int) -> String { writer.count(count, "message", "messages") }
    private func sources(_ count: Int) -> String { writer.count(count, "source", "sources") }
    private func reporters(_ count: Int) -> String { writer.count(count, "reporter", "reporters") }

    private func likely(_ finding: Finding) -> String {
        switch finding.confidence ?? 1 {
        case 0.9...: "This is"
        case 0.6..<0.9: "This looks like"
        default: "This may be"
        }
    }

    /// `on 22 Jun 2026`, or `between 9 Jun 2026 and 21 Jun 2026`.
    private func span(_ finding: Finding, _ first: String = "first_day", _ last: String = "last_day") -> String {
        guard let first = finding.day(first), let last = finding.day(last) else { return "" }
        return first == last ? "on \(writer.day(first))" : "between \(writer.day(first)) and \(writer.day(last))"
    }

    private let soon = "In the reports of the next 2–3 days"

    /// What became of messages that failed.
    private func fate(_ finding: Finding) -> String {
        let parts = [
            (finding.delivered, "delivered"), (finding.count("quarantined"), "quarantined"), (finding.count("rejected"), "rejected"),
        ]
        .filter { $0.0 > 0 }.map { "\(writer.number($0.0)) \($0.1)" }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    }

    func text(_ finding: Finding) -> AdviceText {
        switch finding.code {
        case .missingServer, .missingIPv6: missing(finding)
        case .brokenSignature: broken(finding)
        case .noSignature: unsigned(finding)
        case .unalignedService: unaligned(finding)
        case .webForm: webForm(finding)
        case .spfError, .spfWeak: spf(finding)
        case .reporterSilent: silent(finding)
        case .spoofedDelivered, .spoofedStopped: spoofed(finding)
        case .spoofedSubdomain: subdomain(finding)
        case .parked: parked(finding)
        case .policyMismatch, .outdatedTag: policy(finding)
        case .readiness: readiness(finding)
        case .mailingList: list(finding)
        case .forwarded: forwarded(finding)
        case .signedService: signed(finding)
        }
    }

    // MARK: - Senders

    private func missing(_ finding: Finding) -> AdviceText {
        let isIPv6 = finding.code == .missingIPv6
        let signed = finding.count("signed")
        let failed = finding.count("failed")
        let isOne = finding.subjects.count == 1
        guard finding.flag("proven") else {
            return AdviceText(
                title: isIPv6
                    ? "A server sends as you over IPv6, and SPF does not know it" : "A server that SPF does not know sends as you",
                seen:
                    "\(messages(finding.messages)) from \(writer.list(finding.subjects)), reported by \(reporters(finding.count("reporters"))); SPF fails there. \(writer.number(signed)) carried a valid signature of yours, \(writer.number(failed)) failed DMARC.",
                meaning: (finding.count("passed_before") == finding.subjects.count
                    ? "It looks like a server of yours that fell out of your SPF record: it passed before. "
                    : finding.count("passed_before") > 0
                        ? "It looks like servers of yours that your SPF record does not name; \(writer.number(finding.count("passed_before"))) of them passed before. "
                        : "It looks like a server of your own that was never in your SPF record; a forwarder can look the same. ")
                    + (failed == 0 ? "Your signature carries this mail, so there is no hurry." : "The reports cannot tell for certain."),
                step:
                    "Is \(isOne ? "this" : "one of these") yours? Ask whoever runs your mail. If \(isOne ? "it is" : "one is"), add it to the SPF record; if not, leave the record alone: whoever stands in SPF may send as you.",
                check: "If \(isOne ? "it is" : "one is") yours: in the reports of the 2–3 days after the change SPF passes there.")
        }
        return AdviceText(
            title: isIPv6
                ? "Your server also sends over IPv6, and SPF does not know that" : "A server of yours is missing from your SPF record",
            seen:
                "\(messages(finding.messages)) from \(writer.list(finding.subjects)), reported by \(reporters(finding.count("reporters"))); SPF fails there. \(writer.number(signed)) carried a valid signature of yours, \(writer.number(failed)) failed DMARC.",
            meaning: "\(likely(finding)) a server of your own that your SPF record does not name."
                + (failed == 0 ? " Its signature carries the mail for now; a message whose signature breaks on the way would fail." : ""),
            step:
                "Check that the \(finding.subjects.count == 1 ? "address is" : "addresses are") yours, then add \(finding.subjects.count == 1 ? "it" : "them") to the SPF record. What you do not know does not belong there: whoever stands in SPF may send as you.",
            check: "\(soon) SPF passes for \(finding.subjects.count == 1 ? "this address" : "these addresses").")
    }

    private func broken(_ finding: Finding) -> AdviceText {
        let isEverywhere = finding.flag("everywhere")
        let selector = finding.word("selector") ?? ""
        let domain = DomainName.readable(finding.word("signing_domain") ?? finding.domain)
        return AdviceText(
            title: selector.isEmpty ? "Signatures of \(domain) do not verify" : "Signatures with selector \(selector) do not verify",
            seen:
                "\(messages(finding.messages)) straight from your senders had a signature of \(domain)\(selector.isEmpty ? " (the reports leave out its selector)" : " with selector \(selector)") that did not verify, at \(reporters(finding.count("reporters"))); "
                + (isEverywhere ? "it verified nowhere." : "\(writer.number(finding.count("passed"))) did verify."),
            meaning: isEverywhere
                ? "The key in DNS is missing, cut short, or not the one that your server signs with."
                : "The message is changed after it was signed (a footer, a filter, another relay), or one of several servers signs with another key.",
            step: isEverywhere
                ? "Compare the TXT record \(finding.subjects[0]) with the public key of your server, to the last character; long keys are often cut at 255."
                : "Look at which server these messages come from, and make signing the last thing that happens to a message.",
            check: "\(soon) " + (selector.isEmpty ? "DKIM passes for \(domain)." : "DKIM passes for selector \(selector)."))
    }

    private func unsigned(_ finding: Finding) -> AdviceText {
        AdviceText(
            title: "Your own mail has no DKIM signature",
            seen:
                "\(messages(finding.messages)) from \(writer.list(finding.subjects)) passed by SPF alone, without any signature of \(DomainName.readable(finding.domain)): \(percent(finding.rate("share"))) of what your senders send.",
            meaning:
                "\(likely(finding)) your own server or a service of yours that does not sign. That works until somebody forwards the message: SPF then fails, and nothing is left that passes.",
            step: "Turn on DKIM signing there with d=\(DomainName.readable(finding.domain)), and publish the public key that it shows you"
                + (finding.flag("signs_elsewhere") ? ", under a selector of its own beside those you have." : "."),
            check: "\(soon) these sources pass DKIM, too.")
    }

    private func percent(_ rate: Double?) -> String { writer.percent(Int(((rate ?? 0) * 1_000_000).rounded()), of: 1_000_000) }

    private func unaligned(_ finding: Finding) -> AdviceText {
        let name = writer.list(finding.subjects)
        let how =
            switch finding.word("by") {
            case "both": "SPF and DKIM passed"
            case "spf": "SPF passed"
            case "dkim": "DKIM passed"
            default: "SPF or DKIM passed"
            }
        let isOne = finding.subjects.count == 1
        let seen =
            "\(messages(finding.messages)) from \(sources(finding.count("sources"))) \(span(finding)): \(how), but for \(isOne ? "a name that is" : "names that are") not yours. \(writer.number(finding.count("failed"))) failed DMARC\(fate(finding))."
        guard !finding.flag("unrelated") else {
            return AdviceText(
                title: isOne
                    ? "\(name) uses your name and authenticates as itself" : "Others use your name and authenticate as themselves",
                seen: seen,
                meaning:
                    "Either \(isOne ? "a supplier" : "suppliers") of yours that nobody else uses, or \(isOne ? "a stranger" : "strangers") with servers in good order: the reports cannot tell.",
                step:
                    "Ask whoever buys services in your organisation whether they know \(name). What is yours has to sign with your domain, and that settles the question. What nobody knows is to be treated as forged: leave SPF and DKIM alone, a stricter policy stops it, and the question holds that up for \(Self.questionDays) days at most.",
                check: "If it is yours: after it was set up, the reports of the next 2–3 days show DKIM of your domain.")
        }
        if let since = finding.day("signs_since") {
            return AdviceText(
                title: "\(name) signs for your domain since \(writer.day(since))", seen: seen,
                meaning: "That was before it was set up.", step: "Nothing.", check: "")
        }
        if finding.flag("sister") {
            let domain = DomainName.readable(finding.domain)
            return AdviceText(
                title: "Mail of \(domain) is sent as \(name)", seen: seen,
                meaning:
                    "\(name) is a domain whose reports you collect, too: this looks like one of its servers that sends for both, and signs for itself only.",
                step:
                    "If that is meant, let the server sign mail of \(domain) with d=\(domain), and use \(domain) on the envelope. If not, ask whoever runs \(name) who uses it.",
                check: "\(soon) DKIM passes with d=\(domain) for it.")
        }
        guard isOne else {
            return AdviceText(
                title: "More services send as you under their own names", seen: seen,
                meaning: "\(likely(finding)) services that are not set up for your domain: \(name).",
                step: "Find out which of them are yours, and authenticate your domain there.",
                check: "\(soon) they pass DKIM with your domain.")
        }
        let isMailbox = finding.word("kind") == "mailbox-provider"
        return AdviceText(
            title: "\(name) sends as you, but signs with its own name", seen: seen,
            meaning:
                "\(likely(finding)) a service of yours that was never told about your domain. DMARC asks for your name on the envelope or on the signature.",
            step: isMailbox
                ? "Turn on DKIM for your domain in \(name) and publish the records that it shows you."
                : "In \(name) choose 'authenticate your domain' (or 'verify') and publish the two or three DNS records that it shows you. An SPF include alone will not help: its envelope carries its own name.",
            check: "\(soon) DKIM passes with d=\(DomainName.readable(finding.domain)) for it.")
    }

    private func webForm(_ finding: Finding) -> AdviceText {
        AdviceText(
            title: "Mail of a website is sent without your authentication",
            seen:
                "\(messages(finding.messages)) from \(sources(finding.count("sources"))) at \(writer.list(finding.subjects)): SPF passed for the name of the web server, there was no signature. \(writer.number(finding.count("failed"))) failed DMARC\(fate(finding)).",
            meaning:
                "This \(finding.flag("unrelated") ? "may be" : "looks like") the contact form or the shop of your own website on a shared server. If you have no website there, it is a stranger.",
            step:
                "Let the website send through SMTP with a login at your mail server, or ask the host to sign for your domain. Never put the visitor's address in From; use Reply-To for it.",
            check: "\(soon) this source is gone, or passes.")
    }

    private func signed(_ finding: Finding) -> AdviceText {
        AdviceText(
            title: "Services sign for you",
            seen:
                "\(messages(finding.messages))\(finding.subjects.isEmpty ? "" : " from " + writer.list(finding.subjects + (finding.count("unnamed") > 0 ? ["senders without a name"] : []))) carried a valid signature of yours; SPF was not aligned.",
            meaning: "As it should be: one of the two is enough, and a signature survives forwarding.",
            step: "Nothing. If the service offers a return path of your own, that is a spare.", check: "")
    }

    // MARK: - Indirect mail

    private func forwarded(_ finding: Finding) -> AdviceText {
        let failed = finding.count("failed")
        return AdviceText(
            title: "Forwarded mail fails SPF, as always",
            seen: "\(messages(finding.messages)) came through somebody who passes mail on"
                + (finding.subjects.isEmpty ? "" : ", among them \(writer.some(finding.subjects))")
                + ". "
                + (failed == 0
                    ? "Your signature survived, so DMARC passed."
                    : failed == finding.messages
                        ? "No signature of yours survived, so DMARC failed."
                        : "On \(writer.number(finding.count("passed"))) your signature survived, so DMARC passed; \(writer.number(failed)) failed."),
            meaning:
                "\(likely(finding)) your own mail on its way to an address that forwards. The forwarder's address is not in your SPF record, and cannot be.",
            step: (failed == 0 ? "Nothing to fix: the signature carries it. " : "Nothing to fix on your side but to sign everything. ")
                + "Keep DKIM on all mail before you choose a stricter policy. Do not add forwarders to SPF: everybody who uses them could then send as you; only one that you run yourself belongs there. If you run the forwarder: rewrite the envelope (SRS), leave the message unchanged, and add ARC.",
            check: "")
    }

    private func list(_ finding: Finding) -> AdviceText {
        let isStopped = finding.stopped > 0
        return AdviceText(
            title: isStopped ? "Mail to mailing lists is stopped by your policy" : "Mailing lists change your mail",
            seen: "\(messages(finding.messages)) came through mailing lists"
                + (finding.subjects.isEmpty ? "" : ", such as \(writer.some(finding.subjects))")
                + "; \(writer.number(finding.count("failed"))) failed DMARC\(fate(finding)).",
            meaning:
                "\(likely(finding)) mail of your own people to lists. A list that adds a footer or a tag to the subject breaks your signature.",
            step: isStopped
                ? "Ask the lists to rewrite From (most list software can), or go back to p=none as long as people post there. RFC 9989: a domain whose users post to mailing lists should not publish p=reject."
                : "Nothing now. Before p=reject: RFC 9989 says that a domain whose users post to mailing lists should not publish it; lists that rewrite From, and a separate domain for people, are ways out.",
            check: isStopped ? "\(soon) messages from these lists no longer fail, or carry the list's own From." : "")
    }

    // MARK: - DNS

    private func spf(_ finding: Finding) -> AdviceText {
        let name = writer.list(finding.subjects)
        guard finding.code == .spfError else {
            let isMissing = finding.flag("missing")
            return AdviceText(
                title: isMissing ? "There is no SPF record" : "The SPF record says nothing",
                seen: isMissing
                    ? "\(reporters(finding.count("reporters"))) found no SPF record for \(name), on \(messages(finding.messages))."
                    : "SPF for \(name) was neutral on \(messages(finding.messages)), at \(reporters(finding.count("reporters"))), and never said no: the record ends in ?all, or in no all.",
                meaning: "Receivers cannot tell your servers from others.",
                step: isMissing
                    ? "Publish one that names your servers and ends in ~all. That is enough as long as DMARC is on."
                    : "Let it end in ~all. That is enough as long as DMARC is on.",
                check: isMissing ? "\(soon) SPF passes for your servers." : "\(soon) SPF shows softfail where it was neutral.")
        }
        let permanent = finding.count("permanent_errors")
        let temporary = finding.count("temporary_errors")
        guard finding.flag("permanent") else {
            return AdviceText(
                title: "Look-ups for SPF often time out",
                seen: "SPF for \(name) ended in a temporary error on \(messages(temporary)) of \(writer.number(finding.count("checks"))).",
                meaning: "Your DNS servers, or those of a name that your SPF record includes, answer slowly or not at all.",
                step: "Have all name servers of \(name) and of its includes checked, for instance on internet.nl.",
                check: "\(soon) the temporary errors are gone.")
        }
        return AdviceText(
            title: "The SPF record is broken",
            seen:
                "SPF for \(name) ended in a permanent error on \(messages(permanent)) of \(writer.number(finding.count("checks"))), at \(reporters(finding.count("reporters"))).",
            meaning:
                "The record has a mistake in it, there are two of them, or it needs more than 10 look-ups: each include, a, mx, redirect and exists counts, also inside includes. Receivers then treat SPF as failed.",
            step:
                "Leave one record that begins with v=spf1, and count its look-ups. Take out includes of services that you no longer use, or that sign with DKIM anyway.",
            check: "\(soon) SPF for \(name) shows pass or fail, and no permerror.")
    }

    private func policy(_ finding: Finding) -> AdviceText {
        guard finding.code == .policyMismatch else {
            return AdviceText(
                title: "pct= is no longer part of DMARC", seen: "Reports show \(finding.subjects[0]) in your policy.",
                meaning:
                    "Since RFC 9989 (May 2026) receivers that follow it apply p=\(finding.word("policy") ?? "?") to all mail that fails, whatever pct says; older ones still spare a part.",
                step: "Take it out. To try a policy first, t=y asks receivers to apply one step less.",
                check: "\(soon) no reporter shows the tag; many write pct=100 on their own account.")
        }
        return AdviceText(
            title: "Receivers see different policies",
            seen:
                "\(writer.list(finding.subjects)) still saw p=\(finding.words("seen").joined(separator: ", p=")) until \(finding.day("until").map(writer.day) ?? "?"), while others see p=\(finding.word("policy") ?? "?") since \(finding.day("since").map(writer.day) ?? "?").",
            meaning: "An old record is still around: a long TTL, a name server that is behind, or two records under _dmarc.",
            step:
                "Ask each of your name servers for the TXT record _dmarc.\(DomainName.readable(finding.domain)). There must be exactly one, the same everywhere.",
            check: "\(soon) all reporters show the same policy.")
    }

    // MARK: - Reporters

    private func silent(_ finding: Finding) -> AdviceText {
        let day = finding.day("last_day").map(writer.day) ?? "?"
        if finding.flag("everybody") {
            return AdviceText(
                title: "No reports arrive any more",
                seen:
                    "The last report about \(DomainName.readable(finding.domain)) covers \(day), \(writer.count(finding.count("silent_days"), "day", "days")) ago; usually there is one every \(every(finding)).",
                meaning: "Silence is not good news: the mailbox may be full, rua= gone from DNS, or the collection not running.",
                step:
                    "Look whether reports arrive in the mailbox, whether rua= still stands in _dmarc.\(DomainName.readable(finding.domain)), and whether dmarcstat doctor is content. If rua points to another domain, that one must agree with a TXT record (\(DomainName.readable(finding.domain))._report._dmarc, value v=DMARC1;).",
                check: "New reports arrive within 2 days.")
        }
        let isOne = finding.subjects.count == 1
        return AdviceText(
            title: isOne ? "A reporter fell silent" : "Reporters fell silent",
            seen:
                "No report of \(writer.list(finding.subjects)) since \(day) (\(writer.count(finding.count("silent_days"), "day", "days"))); usually \(isOne ? "one comes every \(every(finding))" : "each sends one every \(every(finding)), or more often"). Others still report.",
            meaning:
                "Either you sent nothing to \(isOne ? "its" : "their") users, or \(isOne ? "its" : "their") reports get lost: refused as too large, or sorted out as spam.",
            step: "Look in the spam folder of the report mailbox, and at dmarcstat refused.",
            check: isOne ? "Its next report ends the silence." : "The next report of each ends the silence.")
    }

    private func every(_ finding: Finding) -> String {
        let days = finding.count("usual_days")
        return days <= 1 ? "day" : "\(days) days"
    }

    // MARK: - Strangers and policy

    private func spoofed(_ finding: Finding) -> AdviceText {
        let networks = finding.count("networks")
        let seen =
            "\(messages(finding.messages)) from \(sources(finding.count("sources"))) in \(writer.count(networks, "network", "networks")) had your name in From and nothing of yours that passes\(fate(finding))."
        let policy = finding.word("policy") ?? ""
        let since = finding.day("policy_since").map(writer.day) ?? "?"
        // What was delivered on days before the policy was there.
        let before = finding.delivered - finding.count("since_delivered")
        let earlier =
            finding.flag("enforced") && before > 0
            ? " \(writer.number(before)) were delivered before p=\(policy) was there (\(since))." : ""
        guard finding.code == .spoofedDelivered else {
            return AdviceText(
                title: "Strangers use your name, and are stopped", seen: seen + earlier,
                meaning: "\(likely(finding)) forged mail. "
                    + (finding.flag("enforced")
                        ? "Your policy (p=\(policy)) does its work."
                        : "The receivers stop it of their own accord: "
                            + (policy.isEmpty
                                ? "the reports show no policy of yours."
                                : policy == "none"
                                    ? "your policy (p=none) does not ask for it."
                                    : "your policy (p=\(policy)) holds only in part or in test.")),
                step: "Nothing.",
                check: "")
        }
        let step =
            if finding.flag("ready") {
                "Your own senders are in order, so take the next step: see E1."
            } else if finding.flag("parked") {
                "This domain sends no mail, so it can be closed: see F2."
            } else if finding.flag("open_below") {
                "Close the names below the domain: see F1."
            } else if policy.isEmpty {
                "Ask for the TXT record _dmarc.\(DomainName.readable(finding.domain)): without one nobody is asked to stop this."
            } else if finding.word("next") != "" {
                "Mend what E1 names first. Until then a stricter policy would hit your own mail as well."
            } else if finding.flag("enforced") {
                "Nothing more can be published; receivers may overrule a policy."
            } else {
                "Let p=\(policy) hold for all mail: without pct= and t=y."
            }
        return AdviceText(
            title: "Strangers use your name, and are delivered", seen: seen + earlier,
            meaning: "\(likely(finding)) forged mail."
                + (finding.flag("open_below")
                    ? " Most of it comes in the name of subdomains, and sp=none leaves those open."
                    : finding.flag("enforced")
                        ? " Receivers let it through against your policy (p=\(policy))."
                        : policy.isEmpty
                            ? " The reports show no policy of yours."
                            : policy != "none"
                                ? " Your policy (p=\(policy)) holds only in part or in test."
                                : " Your policy (p=none) does not ask to stop it."),
            step: step, check: finding.flag("ready") || finding.flag("parked") ? "\(soon) these messages are quarantined or rejected." : "")
    }

    private func subdomain(_ finding: Finding) -> AdviceText {
        let sends = finding.flag("subdomains_send")
        return AdviceText(
            title: "Strangers use names below your domain",
            seen:
                "\(messages(finding.messages)) came in the name of \(writer.list(finding.subjects)); \(writer.number(finding.delivered)) of them were delivered. Nobody else sends from there.",
            meaning: (finding.word("sp") ?? "").isEmpty
                ? "Without sp= the policy p=none holds for names below the domain, too."
                : "sp=none lets every name below the domain be used.",
            step: !finding.flag("certain") && !finding.flag("seen_by_two")
                ? "Wait: one reporter alone saw these names, and whoever writes a report can make names up."
                : !finding.flag("certain")
                    ? "Wait until 30 days of reports from 2 reporters show that nobody of yours sends from names below the domain."
                    : sends
                        ? "Other names below the domain do send, so protect only those that do not exist, with np=reject."
                        : "Nobody should send from there: close the names below the domain with sp=reject, and np=reject for those that do not exist.",
            check: finding.flag("certain") ? "\(soon) these messages are rejected." : "")
    }

    private func parked(_ finding: Finding) -> AdviceText {
        let count = finding.count("reporters")
        let history =
            "\(span(finding, "since", "until")) (\(writer.count(finding.count("days"), "day", "days")))"
        let whose = count == 0 ? "reporters that are still new" : reporters(count)
        guard finding.flag("certain") else {
            return AdviceText(
                title: "This domain seems to send no mail", seen: "No known sender \(history), in the reports of \(whose).",
                meaning: "That is too little to be sure.",
                step: "If you know that it sends nothing, close it: SPF with -all only, p=reject, an empty MX.",
                check: "")
        }
        return AdviceText(
            title: "This domain sends no mail: close it",
            seen: "The reports of \(whose) show not one message of yours \(history), only strangers or nothing.",
            meaning: "A domain that sends nothing can be protected completely, and loses nothing by it.",
            step: "Publish these records, if it is true that nobody sends from it"
                + (finding.word("next") == "quarantine" ? "; after 60 days of reports p=reject." : "."),
            check: "\(soon) whatever strangers send is rejected.")
    }

    private func readiness(_ finding: Finding) -> AdviceText {
        let next = finding.word("next") ?? "quarantine"
        let known = finding.count("known_messages")
        let passed = finding.count("known_passed")
        let lists = finding.count("mailing_list_messages")
        let seen =
            "p=\(finding.word("policy") ?? "none") now. Since \(finding.day("since").map(writer.day) ?? "?") \(known == 0 ? "no mail of known senders was seen" : "\(writer.percent(passed, of: known)) of \(messages(known)) of known senders passed; \(hit(finding))")\(questions(finding)). Reports on \(writer.number(finding.count("days"))) of \(writer.count(finding.count("of_days"), "day", "days")) from \(writer.count(finding.count("reporters"), "independent reporter", "independent reporters"))."
            + (finding.flag("bounded") ? " What one reporter alone counts decides for at most a third of this." : "")
        let warning =
            " RFC 9989 warns: a domain whose people post to mailing lists should not publish p=reject, because lists change messages"
            + (lists > 0 ? "; \(messages(lists)) of yours came through lists." : ".")
        guard finding.flag("ready") else {
            return AdviceText(
                title: "Not ready for p=\(next)", seen: seen,
                meaning: "In the way: " + finding.words("blockers").map { blocker($0, finding) }.joined(separator: "; ") + ".",
                step: "Mend or wait for what is named here, and keep p=\(finding.word("policy") ?? "none") until then."
                    + (next == "reject" ? warning : ""), check: "When all is mended, this line says ready.")
        }
        return AdviceText(
            title: "Ready for p=\(next)", seen: seen,
            meaning: "Known senders are in order, regular ones were all seen, and the reports are enough to know."
                + (next == "quarantine" ? " Quarantine puts what fails into the spam folder, so a mistake can still be found." : ""),
            step: ask(finding) + "Publish p=\(next)"
                + (next == "quarantine" ? "; t=y beside it tries it without effect first. Not p=reject before 30 days of that." : ".")
                + warning,
            check:
                "\(soon) the policy shows, and no source of yours is among the \(next == "reject" ? "rejected" : "quarantined"). If one is, go back a step."
        )
    }

    /// What a stricter policy would hit, to the last message.
    private func hit(_ finding: Finding) -> String {
        let parts = finding.hit.map { verdict, messages in
            let number = writer.number(messages)
            return switch verdict {
            case .misconfigured: "\(number) from servers that were not set up"
            case .unaligned: "\(number) from services that were not set up"
            case .authorized: "\(number) from your own servers"
            case .dkimOnly: "\(number) from services that sign for you"
            case .forwarded: "\(number) forwarded"
            case .mailingList: "\(number) through mailing lists"
            case .unknown, .spoofed: "\(number) that nothing explains"
            }
        }
        guard let first = parts.first else { return "none would be hit" }
        return parts.count == 1
            ? "\(first) would be hit" : "\(writer.number(finding.messages)) would be hit: \(parts.joined(separator: ", "))"
    }

    private func questions(_ finding: Finding) -> String {
        let count = finding.count("question_messages")
        return count == 0
            ? "" : "; besides, \(messages(count)) of names that may or may not be yours\(finding.see(.unalignedService, .webForm))"
    }

    private func ask(_ finding: Finding) -> String {
        let count = finding.count("question_failed")
        return count == 0
            ? "" : "First ask about the names\(finding.see(.unalignedService, .webForm)): \(messages(count)) of theirs would be hit. "
    }

    private static let questionDays = 30

    private func blocker(_ kind: String, _ finding: Finding) -> String {
        let count = finding.count(kind.split(separator: "-").joined(separator: "_"))
        return switch kind {
        case "thin": "reports on only \(writer.count(count, "day", "days")), 30 are needed"
        case "one-reporter": "\(count == 0 ? "no" : "only one") independent reporter, 2 are needed, each known for two weeks"
        case "one-witness":
            "\(writer.list(finding.words("lonely_senders"))), which only one reporter sees"
        case "reporters-stopped":
            "\(writer.count(count, "reporter", "reporters")) that reported regularly no longer \(count == 1 ? "does" : "do")\(finding.see(.reporterSilent))"
        case "no-known-mail": "no mail of yours was seen in this period"
        case "misconfigured":
            "\(messages(count)) from servers of yours that are not set up\(finding.see(.missingServer, .missingIPv6, .spfWeak))"
        case "unaligned": "\(messages(count)) from services that are not set up\(finding.see(.unalignedService, .webForm))"
        case "question":
            "\(messages(count)) of names that may or may not be yours, first seen less than \(Self.questionDays) days ago\(finding.see(.unalignedService, .webForm))"
        case "dkim-missing": "\(messages(count)) without a signature, which fail when forwarded\(finding.see(.noSignature))"
        case "dkim-broken": "\(messages(count)) with a broken signature\(finding.see(.brokenSignature))"
        case "spf-error": "\(messages(count)) on which SPF ended in an error\(finding.see(.spfError))"
        case "unknown": "\(messages(count)) that fail and that nothing explains"
        case "late-sender":
            "\(writer.list(finding.words("late_senders"))), which \(count == 1 ? "sends" : "send") about once a month or a quarter, \(count == 1 ? "was" : "were") not seen in this period"
        case "mixed-policy": "reporters still see different policies\(finding.see(.policyMismatch))"
        case "not-in-force": "the present policy holds only in part or in test (pct= or t=y)"
        case "quarantine-short": "only \(writer.count(count, "day", "days")) of quarantine, 30 are needed"
        case "mailing-list": "\(messages(count)) through mailing lists, which p=reject would stop\(finding.see(.mailingList))"
        default: kind
        }
    }
}
