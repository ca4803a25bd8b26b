/// What the value of a column is, or what it counts. The raw value is the word that the documentation shows.
enum Unit: String, CaseIterable, Sendable {
    /// A sum of messages.
    case messages
    /// A number of records.
    case records
    /// A number of reports.
    case reports
    /// A number of reporters.
    case reporters
    /// A number of sources.
    case sources
    /// A number of domains.
    case domains
    /// A number of DKIM signatures.
    case signatures
    /// A number of mails, as they lie in mailboxes.
    case mails
    /// A number of documents.
    case documents
    /// A number of days.
    case days
    /// A number of bytes.
    case bytes
    /// Any other whole number: a place, an identifier, a count of things that the help names.
    case number
    /// From 0 to 1.
    case fraction = "0 to 1"
    /// A UTC day.
    case day
    /// An instant, UTC.
    case instant = "time"
    /// True or false.
    case truth = "true or false"
    /// An IP address.
    case address
    /// A domain name.
    case domain
    /// A name of something that is no domain.
    case name
    /// Several names.
    case names
    /// One of a few fixed words.
    case word
    /// Several fixed words.
    case words
    /// Any text.
    case text
    /// Several texts.
    case texts
    /// The path of a file.
    case path
    /// Named members.
    case object
    /// Several objects.
    case objects
}
