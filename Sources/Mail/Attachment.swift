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

    /// A part described elsewhere, for instance a file that counts as the attachment of a mail.
    public init(
        name: String, mediaType: String, hasContentType: Bool, container: String, insideMessage: Bool, isWholeBody: Bool
    ) {
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

    /// When the mail says that it was written, in seconds since 1970; nil if it does not say.
    public var dateAt: Int? { secondsSince1970(date) }

    /// Facts of a mail that says nothing.
    public init() {}

    /// Takes in what a media type, of the mail or of a part, says of the mail.
    mutating func note(mediaType: String, reportType: String? = nil) {
        switch mediaType {
        case "text/html": hasHTMLBody = true
        case "message/delivery-status", "message/global-delivery-status": isDeliveryStatus = true
        case "message/feedback-report": isFailureReport = true
        case "application/tlsrpt", "application/tlsrpt+json", "application/tlsrpt+gzip": isTLSReport = true
        case "multipart/report":
            switch reportType?.lowercased() {
            case "delivery-status": isDeliveryStatus = true
            case "feedback-report": isFailureReport = true
            case "tlsrpt": isTLSReport = true
            default: break
            }
        default: break
        }
    }
}
