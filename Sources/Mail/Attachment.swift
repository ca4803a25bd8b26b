/// One part of a mail that is no multipart: a thing that may hold a report. Its bytes come beside it.
public struct Attachment: Sendable, Equatable {
    /// The decoded file name, from Content-Disposition or else from Content-Type; "" if none. Foreign text.
    public var name: String
    /// The media type in lower case, such as `application/zip`; "" if there is no Content-Type. Foreign text.
    public var mediaType: String
    /// Whether the part has a header field Content-Type, spelt so.
    public var hasContentType: Bool
    /// The media type of the multipart around it, such as `multipart/mixed`; "" if there is none.
    public var container: String
    /// Whether it lies in a message inside the message (message/rfc822).
    public var insideMessage: Bool
    /// Whether it is all of the mail: there is no multipart and no inner message around it.
    public var isWholeBody: Bool
    /// Whether it lies in a bounce or in a report about a single mail: it is a mail of our own, or a copy of it, that came back.
    public var isReturned = false

    /// A part described elsewhere, for instance a file that counts as the attachment of a mail.
    public init(
        name: String, mediaType: String, hasContentType: Bool, container: String, insideMessage: Bool, isWholeBody: Bool,
        isReturned: Bool = false
    ) {
        self.isReturned = isReturned
        self.name = name
        self.mediaType = mediaType
        self.hasContentType = hasContentType
        self.container = container
        self.insideMessage = insideMessage
        self.isWholeBody = isWholeBody
    }
}

/// What a mail says of itself. All text is foreign.
public struct MailFacts: Sendable, Equatable {
    /// The Subject, decoded (RFC 2047); "" if there is none.
    public var subject = ""
    /// The From field, decoded, as written otherwise; "" if there is none.
    public var from = ""
    /// The domain of the one address in From, as written; nil where there is not exactly one.
    public var authorDomain: String?
    /// What the trusted servers found out (`TrustedResults`); nil where no server is trusted.
    public var authentication: [AuthenticationResults]?
    /// What the topmost fields say where no server is trusted, believed only as far as it speaks against the mail; else nil.
    public var objections: [AuthenticationResults]?
    /// The Message-ID as written.
    public var messageID = ""
    /// The Date as written.
    public var date = ""
    /// When the topmost field Received says that the mail came in, in seconds since 1970; nil if it does not say. Anybody can write such a
    /// field; that of the own server stands on top.
    public var receivedAt: Int?
    /// The media type of the mail itself in lower case, such as `multipart/mixed`; "" if there is no Content-Type.
    public var topMediaType = ""
    /// Whether a part is text/html.
    public var hasHTMLBody = false
    /// A bounce or another notice of delivery (RFC 3464).
    public var isDeliveryStatus = false
    /// A failure report or complaint (RFC 5965, RFC 6591).
    public var isFailureReport = false
    /// A TLS report (RFC 8460).
    public var isTLSReport = false
    /// Whether a mail in it is one that came back: this one was sent by nobody (RFC 5321 section 4.5.5), by a mail system, or by a program that
    /// answers (RFC 3834), and is no journal's copy.
    public var returnsMail = false
    /// Whether its author is a mail system.
    public var isFromMailSystem = false

    /// When the mail says that it was written, in seconds since 1970; nil if it does not say.
    public var dateAt: Int? { secondsSince1970(date) }

    /// Facts of a mail that says nothing.
    public init() {}

    /// Adds what a mail inside the mail is.
    public mutating func note(inner: MailFacts) {
        isDeliveryStatus = isDeliveryStatus || inner.isDeliveryStatus
        isFailureReport = isFailureReport || inner.isFailureReport
        isTLSReport = isTLSReport || inner.isTLSReport
    }

    /// Whether a multipart of this kind holds a mail that came back (RFC 3464, RFC 5965, RFC 8098).
    static func isReturn(mediaType: String, reportType: String?) -> Bool {
        guard mediaType == "multipart/report", let type = reportType?.lowercased() else { return false }
        return type == "delivery-status" || type == "feedback-report" || type == "disposition-notification"
    }

    /// Whether a multipart with a part of this kind holds a mail that came back.
    static func isReturn(part mediaType: String) -> Bool {
        switch mediaType {
        case "message/delivery-status", "message/global-delivery-status", "message/feedback-report", "message/disposition-notification",
            "message/global-disposition-notification":
            true
        default: false
        }
    }

    /// Takes in what a media type, of the mail or of a part, says of the mail.
    mutating func note(mediaType: String, reportType: String? = nil) {
        switch mediaType {
        case "text/html": hasHTMLBody = true
        case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
            "message/global-disposition-notification":
            isDeliveryStatus = true
        case "message/feedback-report": isFailureReport = true
        case "application/tlsrpt", "application/tlsrpt+json", "application/tlsrpt+gzip": isTLSReport = true
        case "multipart/report":
            switch reportType?.lowercased() {
            case "delivery-status", "disposition-notification": isDeliveryStatus = true
            case "feedback-report": isFailureReport = true
            case "tlsrpt": isTLSReport = true
            default: break
            }
        default: break
        }
    }
}
