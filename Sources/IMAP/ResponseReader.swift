import Glibc

/// Cuts the stream of a server into responses.
///
/// It knows literals, so what stands in a mail can never be taken for a response. A literal counts only where the grammar allows one: at
/// the end of a line of FETCH, LIST, LSUB, STATUS or NAMESPACE, never in text for people. Limits hold before anything is stored.
struct ResponseReader {
    /// What became of the bytes so far.
    enum Outcome: Equatable {
        case value(RawResponse)
        case needMore
        case malformed(Malformed)
    }

    private let limits: IMAPLimits
    private var buffer: [UInt8]
    /// What of `buffer` is not used up yet.
    private var start = 0
    private var end = 0
    /// Where the search for the end of the line goes on.
    private var searched = 0

    private var response = RawResponse()
    private var literal: [UInt8] = []
    private var literalBytesLeft = 0
    private var isInLiteral = false
    private var bodyBytes = 0
    private var problem: Malformed?

    /// Bytes of literals, since the beginning.
    private(set) var literalBytes = 0
    /// Bytes of text, since the beginning.
    private(set) var textBytes = 0

    init(_ limits: IMAPLimits) {
        self.limits = limits
        buffer = Array(repeating: 0, count: 64 << 10)
    }

    /// Bytes received and not used yet.
    var waitingBytes: Int { end - start }

    /// Lets `source` put bytes into the buffer; it returns how many. To be called after `needMore`.
    mutating func fill(_ source: (UnsafeMutableRawBufferPointer) throws(IMAPError) -> Int) throws(IMAPError) -> Int {
        if start > 0 {
            let rest = end - start
            if rest > 0 {
                buffer.withUnsafeMutableBytes { bytes in
                    if let base = bytes.baseAddress { base.copyMemory(from: base + start, byteCount: rest) }
                }
            }
            searched -= start
            start = 0
            end = rest
        }
        // A line that is longer than the buffer: `next` refuses it before it grows beyond its limit.
        if end == buffer.count { buffer.append(contentsOf: repeatElement(0, count: buffer.count)) }
        var count = 0
        var failure: IMAPError?
        buffer.withUnsafeMutableBytes { bytes in
            do throws(IMAPError) {
                count = try source(UnsafeMutableRawBufferPointer(rebasing: bytes[end...]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        end += count
        return count
    }

    /// The next response. After `malformed` there is nothing but that.
    mutating func next() -> Outcome {
        if let problem { return .malformed(problem) }
        do throws(Malformed) {
            while true {
                if isInLiteral {
                    guard readLiteral() else { return .needMore }
                    continue
                }
                guard try readLine() else { return .needMore }
                if isInLiteral { continue }
                let complete = response
                response = RawResponse()
                bodyBytes = 0
                return .value(complete)
            }
        } catch {
            problem = error
            buffer = []
            literal = []
            response = RawResponse()
            (start, end, searched) = (0, 0, 0)
            return .malformed(error)
        }
    }

    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`. False: there is more to come.
    private mutating func readLiteral() -> Bool {
        let count = min(literalBytesLeft, end - start)
        if literal.isEmpty {
            // Memory is taken for what has arrived, not for what was announced.
            literal.reserveCapacity(min(literalBytesLeft, 256 << 10))
        } else if literal.count + count > literal.capacity {
            literal.reserveCapacity(min(literal.count + literalBytesLeft, max(literal.count * 2, literal.count + count)))
        }
        literal.append(contentsOf: buffer[start..<start + count])
        start += count
        searched = start
        literalBytes += count
        literalBytesLeft -= count
        guard literalBytesLeft == 0 else { return false }
        response.literals.append(literal)
        literal = []
        isInLiteral = false
        return true
    }

    /// The rest of the line up to CRLF. False: there is more to come.
    private mutating func readLine() throws(Malformed) -> Bool {
        let newline = buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, let found = memchr(base + searched, 0x0a, end - searched) else { return nil }
            return base.distance(to: UnsafeRawPointer(found))
        }
        let length = (newline ?? end) - start
        guard response.text.count + length <= limit else {
            throw Malformed(reason: "a line of more than \(limit) bytes: \(head)", isTooLarge: true)
        }
        guard let newline else {
            searched = end
            return false
        }
        guard length > 0, buffer[newline - 1] == 0x0d else { throw Malformed(reason: "a line that does not end in CRLF: \(head)") }
        response.text.append(contentsOf: buffer[start..<newline - 1])
        textBytes += length + 1
        start = newline + 1
        searched = start
        if mayHaveLiteral, let count = try announcedLiteral() {
            guard response.literals.count < IMAPLimits.maxLiterals else {
                throw Malformed(reason: "more than \(IMAPLimits.maxLiterals) literals: \(head)", isTooLarge: true)
            }
            bodyBytes += count
            response.text.append(0x0a)
            literalBytesLeft = count
            isInLiteral = true
        }
        return true
    }

    /// The beginning of the response, for errors.
    private var head: String {
        clipped((response.text.prefix(80) + buffer[start..<min(end, start + 80)].prefix { $0 != 0x0a }).prefix(80))
    }

    /// The limit on this response's text.
    private var limit: Int {
        let isList = begins("* SEARCH") || begins("* ESEARCH")
        return isList ? limits.maxListBytes : limits.maxLineBytes
    }

    /// Whether the response, or what is there of it, begins with `word`, in any case.
    private func begins(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        let isInText = !response.text.isEmpty
        guard (isInText ? response.text.count : end - start) >= count else { return false }
        for index in 0..<count {
            let byte = isInText ? response.text[index] : buffer[start + index]
            if upper(byte) != word.utf8Start[index] { return false }
        }
        return true
    }

    private var isFetch: Bool {
        let text = response.text
        guard text.count > 4, text[0] == UInt8(ascii: "*"), text[1] == 0x20 else { return false }
        var position = 2
        while position < text.count, isDigit(text[position]) { position += 1 }
        guard position > 2, text.count >= position + 7 else { return false }
        return zip(text[position..<position + 7], " FETCH ".utf8).allSatisfy { upper($0) == $1 }
    }

    private var mayHaveLiteral: Bool {
        guard response.text.last == UInt8(ascii: "}") else { return false }
        return isFetch || begins("* LIST ") || begins("* LSUB ") || begins("* STATUS ") || begins("* NAMESPACE ")
    }

    /// The number in `{n}` at the end of the line. Nil: there is none.
    private func announcedLiteral() throws(Malformed) -> Int? {
        let text = response.text
        var position = text.count - 2
        if position >= 0, text[position] == UInt8(ascii: "+") { position -= 1 }
        let last = position
        while position >= 0, isDigit(text[position]) { position -= 1 }
        guard position >= 0, position < last, text[position] == UInt8(ascii: "{") else { return nil }
        let limit = isFetch ? limits.maxMessageBytes : IMAPLimits.maxNameBytes
        guard last - position <= 10, let count = Int(String(decoding: text[position + 1...last], as: UTF8.self)), bodyBytes + count <= limit
        else {
            let digits = clipped(text[position + 1...last].prefix(40))
            throw Malformed(
                reason: "a literal of \(digits) bytes; the limit is \(limit): \(clipped(text.prefix(80)))", isTooLarge: true,
                isMessage: isFetch)
        }
        return count
    }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

func upper(_ byte: UInt8) -> UInt8 { byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte }
