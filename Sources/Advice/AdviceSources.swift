/// Where advice is explained: standards, and the how-to's of internet.nl.
enum AdviceSources {
    static let indirectMail = "https://www.rfc-editor.org/rfc/rfc7960"
    static let dmarc = "https://www.rfc-editor.org/rfc/rfc9989"
    static let interoperability = "https://www.rfc-editor.org/rfc/rfc9989#section-7.4"
    static let alignment = "https://www.rfc-editor.org/rfc/rfc9989#section-4.4"
    static let changes = "https://www.rfc-editor.org/rfc/rfc9989#appendix-C"
    static let spfLimits = "https://www.rfc-editor.org/rfc/rfc7208#section-4.6.4"
    static let spfMechanisms = "https://www.rfc-editor.org/rfc/rfc7208#section-5.6"
    static let external = "https://www.rfc-editor.org/rfc/rfc9990"
    static let spf = "https://github.com/internetstandards/toolbox-wiki/blob/main/SPF-how-to.md"
    static let dkim = "https://github.com/internetstandards/toolbox-wiki/blob/main/DKIM-how-to.md"
    static let dmarcHowTo = "https://github.com/internetstandards/toolbox-wiki/blob/main/DMARC-how-to.md"
    static let parked = "https://github.com/internetstandards/toolbox-wiki/blob/main/parked-domain-how-to.md"
}
