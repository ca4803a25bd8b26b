import Advice
import DMARC
import Questions
import Store

/// Bevindingen in het Nederlands: findings in Dutch.
struct DutchAdvice: AdviceTexts {
    let writer: AdviceWriter

    init(most: Int) {
        writer = AdviceWriter(
            thousands: ".", decimalPoint: ",",
            months: ["jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"], and: "en",
            others: { "\($0) andere" }, most: most)
    }

    let labels = (seen: "Gezien:", meaning: "Betekenis:", step: "Doen:", dns: "DNS:", check: "Controle:", more: "Meer:")

    let moreHint = "Met --all staat ook uitgelegd wat in orde is."

    let closing = "dmarcstat explain BRON toont waarop een oordeel berust."

    func word(_ severity: Severity) -> String {
        switch severity {
        case .act: "te doen"
        case .watch: "in de gaten houden"
        case .fine: "in orde"
        }
    }

    func heading(_ advice: DomainAdvice, _ period: Period?) -> String {
        let days = period.map { ", " + writer.period($0) } ?? ""
        return
            "\(DomainName.readable(advice.domain))\(days), \(messages(advice.messages)) in \(writer.count(advice.reports, "rapport", "rapporten"))"
    }

    func counts(_ advice: DomainAdvice) -> String {
        guard !advice.findings.isEmpty else {
            return advice.reports == 0 && advice.newcomers > 0
                ? "Nog niets te melden: wie rapporteert moet eerst twee weken bekend zijn." : "Niets te melden: alles is zoals het hoort."
        }
        let parts = Severity.allCases.compactMap { severity in
            let count = advice.findings.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(word(severity))"
        }
        return writer.count(advice.findings.count, "bevinding", "bevindingen") + ": " + parts.joined(separator: ", ")
    }

    func leftOut(_ messages: Int) -> String {
        "Niet meegeteld: rapporten waarvan de afzender niet vaststaat, over \(writer.count(messages, "bericht", "berichten"))."
    }

    func newcomers(_ messages: Int, _ voices: Int) -> String {
        "Telt nog niet mee: \(writer.count(messages, "bericht", "berichten")) van \(writer.count(voices, "nieuwe ontvanger die rapporteert", "nieuwe ontvangers die rapporteren"))."
    }

    func outlier(_ report: OutlyingReport) -> String {
        "Eén rapport van \(report.reporter) noemt \(messages(report.messages)); alle andere samen \(writer.number(report.others))."
    }

    func nobodyChecked(_ line: String) -> String {
        "Niemand controleert van wie een rapport komt. Zet in de configuratie, onder [authenticity], met de naam van je mailserver: \(line)"
    }

    func quiet(_ names: [String]) -> String { "Niets te doen voor \(writer.list(names))." }

    func instruction(_ change: DNSChange) -> String {
        let name = change.name
        let isSPF = !name.hasPrefix("_dmarc.")
        switch change.action {
        case .publish: return change.type == "MX" ? "\(name) MX \(change.value)" : "\(name) TXT \"\(change.value)\""
        case .insert:
            return isSPF
                ? "\(name) TXT, in het record dat met v=spf1 begint, vóór het laatste woord (all), voeg toe: \(change.value)"
                : "\(name) TXT, in het record dat met v=DMARC1 begint, voeg aan het eind toe: ; \(change.value)"
        case .replace:
            return "\(name) TXT, verander \(change.replaces ?? "") in \(change.value); laat de rest\(isSPF ? "" : " (zoals rua=)") staan"
        case .remove: return "\(name) TXT, haal \(change.value) weg; laat de rest staan"
        }
    }

    func panelNote(names: [String], zone: String) -> String {
        "In het paneel van TransIP, Antagonist en Cloudflare vul je als naam \(writer.list(names)) in, want \(DomainName.readable(zone)) zetten ze er zelf achter; plak de waarde zonder aanhalingstekens."
    }

    private func messages(_ count: Int) -> String { writer.count(count, "bericht", "berichten") }
    private func sources(_ count: Int) -> String { writer.count(count, "bron", "bronnen") }
    private func reporters(_ count: Int) -> String {
        writer.count(count, "ontvanger die rapporteert", "ontvangers die rapporteren")
    }
    private func days(_ count: Int) -> String { writer.count(count, "dag", "dagen") }

    private func likely(_ finding: Finding) -> String {
        switch finding.confidence ?? 1 {
        case 0.9...: "Dit is"
        case 0.6..<0.9: "Dit lijkt op"
        default: "Dit is misschien"
        }
    }

    /// `op 22 jun 2026`, of `tussen 9 jun 2026 en 21 jun 2026`.
    private func span(_ finding: Finding, _ first: String = "first_day", _ last: String = "last_day") -> String {
        guard let first = finding.day(first), let last = finding.day(last) else { return "" }
        return first == last ? "op \(writer.day(first))" : "tussen \(writer.day(first)) en \(writer.day(last))"
    }

    private let soon = "In de rapporten van de komende 2–3 dagen"

    /// What became of messages that failed.
    private func fate(_ finding: Finding) -> String {
        let parts = [
            (finding.delivered, "afgeleverd"), (finding.count("quarantined"), "in quarantaine"), (finding.count("rejected"), "geweigerd"),
        ].filter { $0.0 > 0 }.map { "\(writer.number($0.0)) \($0.1)" }
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
        let isOne = finding.subjects.count == 1
        let failed = finding.count("failed")
        guard finding.flag("proven") else {
            return AdviceText(
                title: isIPv6
                    ? "Een server verstuurt over IPv6 uit jouw naam, en SPF kent die niet"
                    : "Een server die SPF niet kent verstuurt uit jouw naam",
                seen:
                    "\(messages(finding.messages)) van \(writer.list(finding.subjects)), gemeld door \(reporters(finding.count("reporters"))); SPF mislukt daar. \(writer.number(finding.count("signed"))) met een geldige handtekening van jou, \(writer.number(failed)) mislukt voor DMARC.",
                meaning: (finding.count("passed_before") == finding.subjects.count
                    ? "Dit lijkt op een eigen server die uit je SPF-record is gevallen: eerder slaagde hij. "
                    : finding.count("passed_before") > 0
                        ? "Dit lijkt op eigen servers die niet in je SPF-record staan; \(writer.number(finding.count("passed_before"))) daarvan slaagden eerder. "
                        : "Dit lijkt op een eigen server die nooit in je SPF-record stond; een doorstuurder kan er net zo uitzien. ")
                    + (failed == 0
                        ? "De handtekening redt deze berichten, dus er is geen haast bij." : "De rapporten geven geen zekerheid."),
                step:
                    "Is \(isOne ? "dit adres" : "een van deze adressen") van jou? Vraag het wie je mail beheert. Zo ja, zet het dan in het SPF-record; zo nee, laat het record zoals het is: wie in SPF staat mag uit jouw naam versturen.",
                check: "Is het van jou: in de rapporten van de 2–3 dagen na de wijziging is SPF daar geslaagd.")
        }
        return AdviceText(
            title: isIPv6 ? "Je server verstuurt ook over IPv6, en SPF weet dat niet" : "Een eigen server ontbreekt in je SPF-record",
            seen:
                "\(messages(finding.messages)) van \(writer.list(finding.subjects)), gemeld door \(reporters(finding.count("reporters"))); SPF mislukt daar. \(writer.number(finding.count("signed"))) met een geldige handtekening van jou, \(writer.number(failed)) mislukt voor DMARC.",
            meaning: "\(likely(finding)) een eigen server die niet in je SPF-record staat: verkeerd ingesteld."
                + (failed == 0
                    ? " De handtekening redt de berichten nu nog; gaat die onderweg stuk, dan mislukken ze." : ""),
            step:
                "Ga na of \(isOne ? "het adres" : "de adressen") van jou \(isOne ? "is" : "zijn"), en zet \(isOne ? "het" : "ze") dan in het SPF-record. Wat je niet kent hoort daar niet in: wie in SPF staat mag uit jouw naam versturen.",
            check: "\(soon) is SPF geslaagd voor \(isOne ? "dit adres" : "deze adressen").")
    }

    private func broken(_ finding: Finding) -> AdviceText {
        let isEverywhere = finding.flag("everywhere")
        let selector = finding.word("selector") ?? ""
        let domain = DomainName.readable(finding.word("signing_domain") ?? finding.domain)
        return AdviceText(
            title: selector.isEmpty ? "Handtekeningen van \(domain) kloppen niet" : "Handtekeningen met selector \(selector) kloppen niet",
            seen:
                "\(messages(finding.messages)) rechtstreeks van je eigen afzenders hadden een handtekening van \(domain)\(selector.isEmpty ? " (de rapporten laten de selector weg)" : " met selector \(selector)") die niet klopte, bij \(reporters(finding.count("reporters"))); "
                + (isEverywhere ? "nergens klopte ze wel." : "\(writer.number(finding.count("passed"))) klopten wel."),
            meaning: isEverywhere
                ? "De sleutel in DNS ontbreekt, is afgekapt, of is niet die waarmee je server ondertekent."
                : "Het bericht wordt na het ondertekenen veranderd (een voettekst, een filter, nog een server), of een van meer servers ondertekent met een andere sleutel.",
            step: isEverywhere
                ? "Vergelijk het TXT-record \(finding.subjects[0]) met de publieke sleutel van je server, tot het laatste teken; lange sleutels worden vaak bij 255 tekens afgekapt."
                : "Zoek op van welke server deze berichten komen, en laat ondertekenen het laatste zijn wat er met een bericht gebeurt.",
            check: "\(soon) " + (selector.isEmpty ? "is DKIM geslaagd voor \(domain)." : "is DKIM geslaagd voor selector \(selector)."))
    }

    private func unsigned(_ finding: Finding) -> AdviceText {
        AdviceText(
            title: "Je eigen mail heeft geen DKIM-handtekening",
            seen:
                "\(messages(finding.messages)) van \(writer.list(finding.subjects)) geslaagd op SPF alleen, zonder handtekening van \(DomainName.readable(finding.domain)): \(percent(finding.rate("share"))) van wat je afzenders versturen.",
            meaning:
                "\(likely(finding)) een eigen server of dienst die niet ondertekent. Dat gaat goed tot iemand het bericht doorstuurt: dan mislukt SPF, en blijft er niets over dat slaagt.",
            step: "Zet daar DKIM aan met d=\(DomainName.readable(finding.domain)), en publiceer de publieke sleutel die je te zien krijgt"
                + (finding.flag("signs_elsewhere") ? ", onder een eigen selector naast die je al hebt." : "."),
            check: "\(soon) is voor deze bronnen ook DKIM geslaagd.")
    }

    private func percent(_ rate: Double?) -> String { writer.percent(Int(((rate ?? 0) * 1_000_000).rounded()), of: 1_000_000) }

    private func unaligned(_ finding: Finding) -> AdviceText {
        let name = writer.list(finding.subjects)
        let how =
            switch finding.word("by") {
            case "both": "SPF en DKIM geslaagd"
            case "spf": "SPF geslaagd"
            case "dkim": "DKIM geslaagd"
            default: "SPF of DKIM geslaagd"
            }
        let isOne = finding.subjects.count == 1
        let seen =
            "\(messages(finding.messages)) van \(sources(finding.count("sources"))) \(span(finding)): \(how), maar voor \(isOne ? "een andere naam" : "andere namen") dan de jouwe, dus niet uitgelijnd. \(writer.number(finding.count("failed"))) mislukt voor DMARC\(fate(finding))."
        guard !finding.flag("unrelated") else {
            return AdviceText(
                title: isOne
                    ? "\(name) gebruikt je naam en meldt zich als zichzelf" : "Anderen gebruiken je naam en melden zich als zichzelf",
                seen: seen,
                meaning:
                    "Of \(isOne ? "een leverancier" : "leveranciers") van jullie die verder niemand gebruikt, of \(isOne ? "een vreemde" : "vreemden") met goed ingestelde servers: de rapporten kunnen dat niet uitmaken.",
                step:
                    "Vraag wie bij jullie diensten inkoopt of \(name) bekend \(isOne ? "is" : "zijn"). Wat van jullie is moet met je eigen domein ondertekenen; daarmee is de vraag beantwoord. Wat niemand kent, beschouw je als vervalst: laat SPF en DKIM zoals ze zijn, een strenger beleid houdt het tegen, en deze vraag staat dat hooguit \(Self.questionDays) dagen in de weg.",
                check: "Is het wel van jou: na het instellen tonen de rapporten van de komende 2–3 dagen DKIM van je eigen domein.")
        }
        if let since = finding.day("signs_since") {
            return AdviceText(
                title: "\(name) ondertekent sinds \(writer.day(since)) voor je domein", seen: seen,
                meaning: "Dat was voordat het was ingesteld.", step: "Niets.", check: "")
        }
        if finding.flag("sister") {
            let domain = DomainName.readable(finding.domain)
            return AdviceText(
                title: "Mail van \(domain) wordt verstuurd onder de naam \(name)", seen: seen,
                meaning:
                    "Ook van \(name) verzamel je rapporten: dit lijkt op een server daarvan die voor beide domeinen verstuurt, en alleen voor zichzelf ondertekent.",
                step:
                    "Is dat de bedoeling, laat die server mail van \(domain) dan met d=\(domain) ondertekenen, en zet \(domain) op de envelop. Zo niet, vraag dan wie \(name) beheert wie er gebruik van maakt.",
                check: "\(soon) is DKIM ervoor geslaagd met d=\(domain).")
        }
        guard isOne else {
            return AdviceText(
                title: "Nog meer diensten versturen uit jouw naam onder hun eigen naam", seen: seen,
                meaning: "\(likely(finding)) diensten die niet voor je domein zijn ingesteld: \(name).",
                step: "Zoek uit welke daarvan van jou zijn, en stel daar je domein in.",
                check: "\(soon) is voor hen DKIM met je domein geslaagd.")
        }
        let isMailbox = finding.word("kind") == "mailbox-provider"
        return AdviceText(
            title: "\(name) verstuurt uit jouw naam, maar ondertekent met zijn eigen naam", seen: seen,
            meaning:
                "\(likely(finding)) een dienst van jou die nooit van je domein heeft gehoord. DMARC vraagt om jouw naam op de envelop (het retourpad) of in de handtekening.",
            step: isMailbox
                ? "Zet in \(name) DKIM aan voor je domein en publiceer de records die je daar te zien krijgt."
                : "Kies in \(name) voor 'domein authenticeren' (of 'verifiëren') en publiceer de twee of drie DNS-records die je daar te zien krijgt. Een include in SPF alleen helpt niet: op de envelop staat zijn eigen naam.",
            check: "\(soon) is DKIM ervoor geslaagd met d=\(DomainName.readable(finding.domain)).")
    }

    private func webForm(_ finding: Finding) -> AdviceText {
        AdviceText(
            title: "Mail van een website wordt verstuurd zonder dat je domein erachter staat",
            seen:
                "\(messages(finding.messages)) van \(sources(finding.count("sources"))) bij \(writer.list(finding.subjects)): SPF geslaagd voor de naam van de webserver, zonder handtekening. \(writer.number(finding.count("failed"))) mislukt voor DMARC\(fate(finding)).",
            meaning:
                "Dit \(finding.flag("unrelated") ? "is misschien" : "lijkt op") het contactformulier of de webwinkel van je eigen site op een gedeelde server. Heb je daar geen site, dan is het een vreemde.",
            step:
                "Laat de site versturen via SMTP met inloggen op je mailserver, of vraag de hoster om voor je domein te ondertekenen. Zet nooit het adres van de bezoeker in From, gebruik daarvoor Reply-To.",
            check: "\(soon) is deze bron verdwenen, of geslaagd.")
    }

    private func signed(_ finding: Finding) -> AdviceText {
        AdviceText(
            title: "Diensten ondertekenen voor je",
            seen:
                "\(messages(finding.messages))\(finding.subjects.isEmpty ? "" : " van " + writer.list(finding.subjects + (finding.count("unnamed") > 0 ? ["afzenders zonder naam"] : []))) met een geldige handtekening van jou; SPF was niet uitgelijnd.",
            meaning: "Zo hoort het: een van de twee is genoeg, en een handtekening overleeft doorsturen.",
            step: "Niets. Biedt de dienst een retourpad van je eigen domein, dan is dat een reserve.", check: "")
    }

    // MARK: - Indirect mail

    private func forwarded(_ finding: Finding) -> AdviceText {
        let failed = finding.count("failed")
        return AdviceText(
            title: "Doorgestuurde mail mislukt op SPF, zoals altijd",
            seen: "\(messages(finding.messages)) \(finding.messages == 1 ? "kwam" : "kwamen") via iemand die mail doorstuurt"
                + (finding.subjects.isEmpty ? "" : ", onder wie \(writer.some(finding.subjects))")
                + ". "
                + (failed == 0
                    ? "Je handtekening bleef heel, dus DMARC geslaagd."
                    : failed == finding.messages
                        ? "Geen handtekening van jou bleef heel, dus DMARC mislukt."
                        : "Bij \(writer.number(finding.count("passed"))) bleef je handtekening heel, dus DMARC geslaagd; \(writer.number(failed)) mislukt."),
            meaning:
                "\(likely(finding)) je eigen mail op weg naar een adres dat doorstuurt. De doorstuurder staat niet in je SPF-record, en dat kan ook niet.",
            step: (failed == 0
                ? "Niets te repareren: de handtekening draagt het. " : "Aan jouw kant niets te repareren, behalve alles ondertekenen. ")
                + "Houd DKIM op alle mail voordat je een strenger beleid kiest. Zet doorstuurders niet in SPF: iedereen die ze gebruikt zou dan uit jouw naam kunnen versturen; alleen een die je zelf beheert hoort daar. Beheer je de doorstuurder: herschrijf de envelop (SRS), laat het bericht ongewijzigd, en voeg ARC toe.",
            check: "")
    }

    private func list(_ finding: Finding) -> AdviceText {
        let isStopped = finding.stopped > 0
        return AdviceText(
            title: isStopped ? "Je beleid houdt mail aan mailinglijsten tegen" : "Mailinglijsten veranderen je mail",
            seen: "\(messages(finding.messages)) \(finding.messages == 1 ? "kwam" : "kwamen") via mailinglijsten"
                + (finding.subjects.isEmpty ? "" : ", zoals \(writer.some(finding.subjects))")
                + "; \(writer.number(finding.count("failed"))) mislukt voor DMARC\(fate(finding)).",
            meaning:
                "\(likely(finding)) mail van je eigen mensen aan lijsten. Een lijst die een voettekst of een woord in het onderwerp toevoegt, breekt je handtekening.",
            step: isStopped
                ? "Vraag de lijsten om From te herschrijven (de meeste lijstprogramma's kunnen dat), of ga terug naar p=none zolang er mensen aan lijsten schrijven. RFC 9989: een domein waarvan gebruikers aan mailinglijsten schrijven hoort geen p=reject te publiceren."
                : "Nu niets. Vóór p=reject: RFC 9989 zegt dat een domein waarvan gebruikers aan mailinglijsten schrijven dat niet hoort te publiceren; lijsten die From herschrijven, of een apart domein voor mensen, zijn een uitweg.",
            check: isStopped ? "\(soon) mislukken berichten van deze lijsten niet meer, of hebben ze de lijst zelf in From." : "")
    }

    // MARK: - DNS

    private func spf(_ finding: Finding) -> AdviceText {
        let name = writer.list(finding.subjects)
        guard finding.code == .spfError else {
            let isMissing = finding.flag("missing")
            return AdviceText(
                title: isMissing ? "Er is geen SPF-record" : "Het SPF-record zegt niets",
                seen: isMissing
                    ? "\(reporters(finding.count("reporters"))) \(finding.count("reporters") == 1 ? "vond" : "vonden") geen SPF-record voor \(name), bij \(messages(finding.messages))."
                    : "SPF voor \(name) was neutraal bij \(messages(finding.messages)), bij \(reporters(finding.count("reporters"))), en zei nooit nee: het record eindigt op ?all, of zonder all.",
                meaning: "Ontvangers kunnen je servers niet van andere onderscheiden.",
                step: isMissing
                    ? "Publiceer er een dat je servers noemt en op ~all eindigt. Dat is genoeg zolang DMARC aanstaat."
                    : "Laat het op ~all eindigen. Dat is genoeg zolang DMARC aanstaat.",
                check: isMissing ? "\(soon) is SPF geslaagd voor je servers." : "\(soon) staat er softfail waar SPF neutraal was.")
        }
        let permanent = finding.count("permanent_errors")
        let temporary = finding.count("temporary_errors")
        guard finding.flag("permanent") else {
            return AdviceText(
                title: "Opzoeken voor SPF duurt vaak te lang",
                seen:
                    "SPF voor \(name) eindigde in een tijdelijke fout bij \(messages(temporary)) van \(writer.number(finding.count("checks"))).",
                meaning: "Je DNS-servers, of die van een naam die in je SPF-record staat, antwoorden traag of niet.",
                step: "Laat alle naamservers van \(name) en van zijn includes nakijken, bijvoorbeeld op internet.nl.",
                check: "\(soon) zijn de tijdelijke fouten weg.")
        }
        return AdviceText(
            title: "Het SPF-record is stuk",
            seen:
                "SPF voor \(name) eindigde in een blijvende fout bij \(messages(permanent)) van \(writer.number(finding.count("checks"))), bij \(reporters(finding.count("reporters"))).",
            meaning:
                "Er zit een fout in het record, er zijn er twee, of het vraagt meer dan 10 keer opzoeken: elke include, a, mx, redirect en exists telt, ook binnen includes. Ontvangers behandelen SPF dan als mislukt.",
            step:
                "Laat één record over dat met v=spf1 begint, en tel hoe vaak het iets opzoekt. Haal includes weg van diensten die je niet meer gebruikt, of die toch met DKIM ondertekenen.",
            check: "\(soon) staat bij SPF voor \(name) geslaagd of mislukt, en geen permerror.")
    }

    private func policy(_ finding: Finding) -> AdviceText {
        guard finding.code == .policyMismatch else {
            return AdviceText(
                title: "pct= hoort niet meer bij DMARC", seen: "In de rapporten staat \(finding.subjects[0]) in je beleid.",
                meaning:
                    "Sinds RFC 9989 (mei 2026) passen ontvangers die hem volgen p=\(finding.word("policy") ?? "?") toe op alle mail die mislukt, wat pct ook zegt; oudere ontzien nog een deel.",
                step: "Haal het weg. Wil je een beleid eerst proberen, dan vraagt t=y om één stap minder.",
                check: "\(soon) toont niemand het nog; veel ontvangers vullen zelf pct=100 in.")
        }
        return AdviceText(
            title: "Ontvangers zien verschillend beleid",
            seen:
                "\(writer.list(finding.subjects)) zag tot \(finding.day("until").map(writer.day) ?? "?") nog p=\(finding.words("seen").joined(separator: ", p=")), terwijl andere sinds \(finding.day("since").map(writer.day) ?? "?") p=\(finding.word("policy") ?? "?") zien.",
            meaning: "Er is nog een oud record in omloop: een lange TTL, een naamserver die achterloopt, of twee records onder _dmarc.",
            step:
                "Vraag elke naamserver naar het TXT-record _dmarc.\(DomainName.readable(finding.domain)). Het moet er precies één zijn, overal hetzelfde.",
            check: "\(soon) tonen alle ontvangers hetzelfde beleid.")
    }

    // MARK: - Reporters

    private func silent(_ finding: Finding) -> AdviceText {
        let domain = DomainName.readable(finding.domain)
        let day = finding.day("last_day").map(writer.day) ?? "?"
        if finding.flag("everybody") {
            return AdviceText(
                title: "Er komen geen rapporten meer",
                seen:
                    "Het laatste rapport over \(domain) gaat over \(day), \(days(finding.count("silent_days"))) geleden; gewoonlijk komt er elke \(every(finding)) een.",
                meaning: "Stilte is geen goed nieuws: de mailbox kan vol zijn, rua= uit DNS verdwenen, of het ophalen gestopt.",
                step:
                    "Kijk of er rapporten in de mailbox aankomen, of rua= nog in _dmarc.\(domain) staat, en of dmarcstat doctor tevreden is. Wijst rua naar een ander domein, dan moet dat toestemmen met een TXT-record (\(domain)._report._dmarc, waarde v=DMARC1;).",
                check: "Binnen 2 dagen komen er nieuwe rapporten.")
        }
        let isOne = finding.subjects.count == 1
        return AdviceText(
            title: isOne ? "Een ontvanger die rapporteert is stilgevallen" : "Ontvangers die rapporteren zijn stilgevallen",
            seen:
                "Geen rapport van \(writer.list(finding.subjects)) sinds \(day) (\(days(finding.count("silent_days")))); gewoonlijk \(isOne ? "komt er elke \(every(finding)) een" : "stuurt elk er elke \(every(finding)) een, of vaker"). Andere rapporteren nog wel.",
            meaning:
                "Of je hebt \(isOne ? "zijn" : "hun") gebruikers niets gestuurd, of \(isOne ? "zijn" : "hun") rapporten raken zoek: geweigerd omdat ze te groot zijn, of als spam weggelegd.",
            step: "Kijk in de spammap van de mailbox voor rapporten, en bij dmarcstat refused.",
            check: isOne
                ? "Zijn volgende rapport maakt een eind aan de stilte." : "Het volgende rapport van elk maakt een eind aan de stilte.")
    }

    private func every(_ finding: Finding) -> String {
        let days = finding.count("usual_days")
        return days <= 1 ? "dag" : "\(days) dagen"
    }

    // MARK: - Strangers and policy

    private func spoofed(_ finding: Finding) -> AdviceText {
        let seen =
            "\(messages(finding.messages)) van \(sources(finding.count("sources"))) in \(writer.count(finding.count("networks"), "netwerk", "netwerken")) met jouw naam in From en niets van jou dat slaagt\(fate(finding))."
        let policy = finding.word("policy") ?? ""
        let since = finding.day("policy_since").map(writer.day) ?? "?"
        // What was delivered on days before the policy was there.
        let before = finding.delivered - finding.count("since_delivered")
        let earlier =
            finding.flag("enforced") && before > 0
            ? " \(writer.number(before)) \(before == 1 ? "werd" : "werden") afgeleverd voordat p=\(policy) er was (\(since))." : ""
        guard finding.code == .spoofedDelivered else {
            return AdviceText(
                title: "Vreemden gebruiken je naam, en worden tegengehouden", seen: seen + earlier,
                meaning: "\(likely(finding)) vervalste mail. "
                    + (finding.flag("enforced")
                        ? "Je beleid (p=\(policy)) doet zijn werk."
                        : "De ontvangers houden het uit zichzelf tegen: "
                            + (policy.isEmpty
                                ? "in de rapporten staat geen beleid van jou."
                                : policy == "none"
                                    ? "je beleid (p=none) vraagt er niet om."
                                    : "je beleid (p=\(policy)) geldt maar voor een deel of op proef.")),
                step: "Niets.", check: "")
        }
        let step =
            if finding.flag("ready") {
                "Je eigen afzenders zijn in orde, zet dus de volgende stap: zie E1."
            } else if finding.flag("parked") {
                "Dit domein verstuurt geen mail, het kan dus op slot: zie F2."
            } else if finding.flag("open_below") {
                "Sluit de namen onder het domein: zie F1."
            } else if policy.isEmpty {
                "Vraag het TXT-record _dmarc.\(DomainName.readable(finding.domain)) op: zonder dat vraagt niemand om dit tegen te houden."
            } else if finding.word("next") != "" {
                "Los eerst op wat E1 noemt. Tot dan zou een strenger beleid ook je eigen mail raken."
            } else if finding.flag("enforced") {
                "Meer kun je niet publiceren; ontvangers mogen van een beleid afwijken."
            } else {
                "Laat p=\(policy) voor alle mail gelden: zonder pct= en t=y."
            }
        return AdviceText(
            title: "Vreemden gebruiken je naam, en hun mail wordt afgeleverd", seen: seen + earlier,
            meaning: "\(likely(finding)) vervalste mail."
                + (finding.flag("open_below")
                    ? " Het meeste komt uit naam van subdomeinen, en sp=none laat die open."
                    : finding.flag("enforced")
                        ? " Ontvangers laten ze door, tegen je beleid (p=\(policy)) in."
                        : policy.isEmpty
                            ? " In de rapporten staat geen beleid van jou."
                            : policy != "none"
                                ? " Je beleid (p=\(policy)) geldt maar voor een deel of op proef."
                                : " Je beleid (p=none) vraagt niet om ze tegen te houden."),
            step: step,
            check: finding.flag("ready") || finding.flag("parked")
                ? "\(soon) komen deze berichten in quarantaine of worden ze geweigerd." : "")
    }

    private func subdomain(_ finding: Finding) -> AdviceText {
        let sends = finding.flag("subdomains_send")
        return AdviceText(
            title: "Vreemden gebruiken namen onder je domein",
            seen:
                "\(messages(finding.messages)) uit naam van \(writer.list(finding.subjects)); daarvan \(writer.number(finding.delivered)) afgeleverd. Verder verstuurt daar niemand.",
            meaning: (finding.word("sp") ?? "").isEmpty
                ? "Zonder sp= geldt het beleid p=none ook voor namen onder het domein."
                : "Door sp=none is elke naam onder het domein te gebruiken.",
            step: !finding.flag("certain") && !finding.flag("seen_by_two")
                ? "Wacht af: één ontvanger alleen zag deze namen, en wie een rapport schrijft kan namen verzinnen."
                : !finding.flag("certain")
                    ? "Wacht tot 30 dagen rapporten van 2 ontvangers laten zien dat niemand van jullie vanaf namen onder het domein verstuurt."
                    : sends
                        ? "Andere namen onder het domein versturen wel, bescherm dus alleen wat niet bestaat, met np=reject."
                        : "Niemand hoort daarvandaan te versturen: sluit de namen onder het domein met sp=reject, en met np=reject voor wat niet bestaat.",
            check: finding.flag("certain") ? "\(soon) worden deze berichten geweigerd." : "")
    }

    private func parked(_ finding: Finding) -> AdviceText {
        let count = finding.count("reporters")
        let history = "\(span(finding, "since", "until")) (\(days(finding.count("days"))))"
        let whose = count == 0 ? "ontvangers die nog nieuw zijn" : writer.count(count, "ontvanger", "ontvangers")
        guard finding.flag("certain") else {
            return AdviceText(
                title: "Dit domein lijkt geen mail te versturen", seen: "Geen bekende afzender \(history), in de rapporten van \(whose).",
                meaning: "Dat is te weinig om zeker te zijn.",
                step: "Weet je dat het niets verstuurt, zet het dan op slot: SPF met alleen -all, p=reject, een lege MX.", check: "")
        }
        return AdviceText(
            title: "Dit domein verstuurt geen mail: zet het op slot",
            seen: "In de rapporten van \(whose) staat \(history) niet één bericht van jou, alleen vreemden of niets.",
            meaning: "Een domein dat niets verstuurt kan helemaal beschermd worden, en verliest daar niets bij.",
            step: "Publiceer deze records, als het klopt dat niemand ervandaan verstuurt"
                + (finding.word("next") == "quarantine" ? "; na 60 dagen rapporten p=reject." : "."),
            check: "\(soon) wordt geweigerd wat vreemden versturen.")
    }

    private func readiness(_ finding: Finding) -> AdviceText {
        let next = finding.word("next") ?? "quarantine"
        let known = finding.count("known_messages")
        let lists = finding.count("mailing_list_messages")
        let seen =
            "Nu p=\(finding.word("policy") ?? "none"). Sinds \(finding.day("since").map(writer.day) ?? "?") is \(known == 0 ? "er geen mail van bekende afzenders gezien" : "\(writer.percent(finding.count("known_passed"), of: known)) van \(messages(known)) van bekende afzenders geslaagd; \(hit(finding))")\(questions(finding)). Rapporten over \(writer.number(finding.count("days"))) van de \(days(finding.count("of_days"))), van \(writer.count(finding.count("reporters"), "onafhankelijke ontvanger", "onafhankelijke ontvangers"))."
            + (finding.flag("bounded") ? " Wat één ontvanger alleen telt beslist voor hooguit een derde mee." : "")
        let warning =
            " RFC 9989 waarschuwt: een domein waarvan mensen aan mailinglijsten schrijven hoort geen p=reject te publiceren, want lijsten veranderen berichten"
            + (lists > 0 ? "; \(messages(lists)) van jullie \(lists == 1 ? "kwam" : "kwamen") via lijsten." : ".")
        guard finding.flag("ready") else {
            return AdviceText(
                title: "Nog niet klaar voor p=\(next)", seen: seen,
                meaning: "In de weg staat: " + finding.words("blockers").map { blocker($0, finding) }.joined(separator: "; ") + ".",
                step: "Los op of wacht af wat hier staat, en houd tot dan p=\(finding.word("policy") ?? "none")."
                    + (next == "reject" ? warning : ""), check: "Is alles opgelost, dan staat hier: klaar.")
        }
        return AdviceText(
            title: "Klaar voor p=\(next)", seen: seen,
            meaning: "De bekende afzenders zijn in orde, de regelmatige zijn alle gezien, en er zijn genoeg rapporten om dat te weten."
                + (next == "quarantine" ? " Quarantaine legt wat mislukt in de spammap, zodat een vergissing nog te vinden is." : ""),
            step: ask(finding) + "Publiceer p=\(next)"
                + (next == "quarantine"
                    ? "; met t=y erbij probeer je het eerst zonder gevolgen. Geen p=reject vóór 30 dagen daarvan." : ".")
                + warning,
            check:
                "\(soon) staat het nieuwe beleid, en is geen bron van jou \(next == "reject" ? "geweigerd" : "in quarantaine gekomen"). Is dat wel zo, ga dan een stap terug."
        )
    }

    /// What a stricter policy would hit, to the last message.
    private func hit(_ finding: Finding) -> String {
        let parts = finding.hit.map { verdict, messages in
            let number = writer.number(messages)
            return switch verdict {
            case .misconfigured: "\(number) van servers die verkeerd waren ingesteld"
            case .unaligned: "\(number) van diensten die niet waren ingesteld"
            case .authorized: "\(number) van je eigen servers"
            case .dkimOnly: "\(number) van diensten die voor je ondertekenen"
            case .forwarded: "\(number) doorgestuurd"
            case .mailingList: "\(number) via mailinglijsten"
            case .unknown, .spoofed: "\(number) zonder verklaring"
            }
        }
        guard let first = parts.first else { return "daarvan zou er geen geraakt worden" }
        let verb = finding.messages == 1 ? "zou" : "zouden"
        if parts.count == 1 { return "\(first) \(verb) geraakt worden" }
        return "\(writer.number(finding.messages)) \(verb) geraakt worden: \(parts.joined(separator: ", "))"
    }

    private func questions(_ finding: Finding) -> String {
        let count = finding.count("question_messages")
        return count == 0
            ? ""
            : "; daarnaast \(messages(count)) onder namen waarvan niet vaststaat of ze van jullie zijn\(finding.see(.unalignedService, .webForm))"
    }

    private func ask(_ finding: Finding) -> String {
        let count = finding.count("question_failed")
        return count == 0
            ? ""
            : "Vraag eerst na van wie de namen zijn\(finding.see(.unalignedService, .webForm)): \(messages(count)) daarvan \(count == 1 ? "zou" : "zouden") geraakt worden. "
    }

    private static let questionDays = 30

    private func blocker(_ kind: String, _ finding: Finding) -> String {
        let count = finding.count(kind.split(separator: "-").joined(separator: "_"))
        return switch kind {
        case "thin": "rapporten over maar \(days(count)), 30 zijn er nodig"
        case "one-reporter": "\(count == 0 ? "geen enkele" : "maar één") onafhankelijke ontvanger, 2 zijn er nodig, elk twee weken bekend"
        case "one-witness":
            "\(writer.list(finding.words("lonely_senders"))): dat ziet maar één ontvanger"
        case "reporters-stopped":
            "\(writer.count(count, "ontvanger", "ontvangers")) die regelmatig \(count == 1 ? "rapporteerde, doet" : "rapporteerden, doen") dat niet meer\(finding.see(.reporterSilent))"
        case "no-known-mail": "in deze periode is geen mail van jou gezien"
        case "misconfigured":
            "\(messages(count)) van eigen servers die verkeerd zijn ingesteld\(finding.see(.missingServer, .missingIPv6, .spfWeak))"
        case "unaligned": "\(messages(count)) van diensten die niet zijn ingesteld\(finding.see(.unalignedService, .webForm))"
        case "question":
            "\(messages(count)) onder namen waarvan niet vaststaat of ze van jullie zijn, minder dan \(Self.questionDays) dagen geleden voor het eerst gezien\(finding.see(.unalignedService, .webForm))"
        case "dkim-missing":
            "\(messages(count)) zonder handtekening, die mislukken zodra ze worden doorgestuurd\(finding.see(.noSignature))"
        case "dkim-broken": "\(messages(count)) met een kapotte handtekening\(finding.see(.brokenSignature))"
        case "spf-error": "\(messages(count)) waarbij SPF in een fout eindigde\(finding.see(.spfError))"
        case "unknown": "\(messages(count)) die mislukken zonder dat iets het verklaart"
        case "late-sender":
            "\(writer.list(finding.words("late_senders"))), die ongeveer eens per maand of kwartaal \(count == 1 ? "verstuurt" : "versturen"), \(count == 1 ? "is" : "zijn") in deze periode niet gezien"
        case "mixed-policy": "ontvangers zien nog verschillend beleid\(finding.see(.policyMismatch))"
        case "not-in-force": "het huidige beleid geldt maar voor een deel of op proef (pct= of t=y)"
        case "quarantine-short": "nog maar \(days(count)) quarantaine, 30 zijn er nodig"
        case "mailing-list": "\(messages(count)) via mailinglijsten, die p=reject zou tegenhouden\(finding.see(.mailingList))"
        default: kind
        }
    }
}
