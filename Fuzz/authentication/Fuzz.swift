import DMARC

@testable import Ingest
@testable import Mail

/// Fields `Authentication-Results`, which of them are believed, and the verdict that follows.
///
/// The input is a header block, as it arrives: written by a stranger from the topmost field Received downwards.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // What is longer says nothing new, and each of the many readings below costs.
    guard count <= 8192 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    readValue(bytes)
    guard let block = try? HeaderBlock(bytes, 0..<count, MailLimits(), isTop: true) else { return 0 }
    for field in block.authentications {
        require(field.lowerBound >= 0 && field.upperBound <= count && field.lowerBound <= field.upperBound)
    }
    let author = block.isFromRepeated ? nil : block.from.flatMap { authorDomain(bytes[$0]) }
    guard let believed = trusted.results(of: block, bytes) else { fatalError("a server is trusted, but nothing was looked for") }
    require(believed.allSatisfy { $0.server == ours }, "a field of somebody else is believed")
    require(believed.count <= block.authentications.count)
    require(TrustedResults().results(of: block, bytes) == nil, "something is believed although nobody is trusted")

    checkForgery(bytes, block, believed)
    judge(author, believed)
    return 0
}

private let ours = "mx.example.nl"
private let trusted = TrustedResults(servers: ["MX.example.nl"])

/// The input as the value of one field.
private func readValue(_ bytes: UnsafeRawBufferPointer) {
    guard let value = AuthenticationResults.parse(bytes) else { return }
    require(value.results.count <= AuthenticationResults.maxParts && bytes.count <= AuthenticationResults.maxBytes)
    require(value.server == asciiLowercase(value.server))
    for result in value.results {
        require(!result.method.isEmpty && !result.result.isEmpty && !result.method.contains("/"))
        require(result.method == asciiLowercase(result.method) && result.result == asciiLowercase(result.result))
        require(result.properties.count <= AuthenticationResults.maxParts)
        require(result.properties.allSatisfy { $0.name == asciiLowercase($0.name) })
    }
    // Blanks and comments around it say nothing, nor does what follows a semicolon and is no result.
    require(
        AuthenticationResults.parse(Array(" (c (d)\\)) \r\n\t".utf8) + bytes + Array("\r\n ; (e)".utf8)) == value || bytes.count > 65_000)
    // Written in the plainest form it says the same.
    let plain = written(value)
    require(plain.isEmpty || plain.count > AuthenticationResults.maxBytes || AuthenticationResults.parse(plain) == value, "\(value)")
}

/// A field with every word quoted; nothing for one that says nothing.
private func written(_ value: AuthenticationResults) -> [UInt8] {
    func quoted(_ text: String) -> [UInt8] {
        var bytes = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        }
        return bytes + [UInt8(ascii: "\"")]
    }
    var bytes = value.server.isEmpty ? [] : quoted(value.server)
    for (index, result) in value.results.enumerated() {
        if index > 0 || !value.server.isEmpty { bytes.append(UInt8(ascii: ";")) }
        bytes += quoted(result.method) + [UInt8(ascii: "=")] + quoted(result.result)
        for property in result.properties { bytes += [0x20] + quoted(property.name) + [UInt8(ascii: "=")] + quoted(property.value) }
    }
    return bytes
}

/// Whatever a stranger writes below it, the server's own field on top is all that counts.
private func checkForgery(_ bytes: UnsafeRawBufferPointer, _ block: HeaderBlock, _ believed: [AuthenticationResults]) {
    let mark = Array("Authentication-Results: \(ours); dmarc=fail header.from=own.example\r\nReceived: by \(ours)\r\n".utf8)
    let whole = mark + bytes
    whole.withUnsafeBytes { whole in
        guard let block = try? HeaderBlock(whole, 0..<whole.count, MailLimits(), isTop: true) else { return }
        // A line that begins with a blank goes on with the field above, which is Received.
        let found = trusted.results(of: block, whole) ?? []
        require(
            found.count == 1 && found.first?.results.map(\.result) == ["fail"], "a stranger's field counts beside the server's: \(found)")
    }
}

/// One thread feeds.
private nonisolated(unsafe) let check = SenderCheck { name in name.split(separator: ".").suffix(2).joined(separator: ".") }

/// The verdict keeps the order that the rules give it.
private func judge(_ author: String?, _ believed: [AuthenticationResults]) {
    for (reporter, email) in [("google.com", "noreply@google.com"), ("Receiver", "dmarc@receiver.example"), ("a.example", nil)] {
        var header = ReportHeader()
        header.reporter = reporter
        header.email = email
        func verdict(_ author: String?, _ results: [AuthenticationResults], isForwarded: Bool = false) -> Authenticity {
            check.judge(header, author: author, results: results, isForwarded: isForwarded, fileName: "")
        }
        let found = verdict(author, believed)
        require(verdict(nil, believed) == .unverified && verdict(author, believed, isForwarded: true) == .unverified)
        require(verdict(author, []) != .verified, "verified on nobody's word")
        // A contradiction is never better than none, and a repetition says nothing new.
        let contradiction = AuthenticationResults(server: ours, results: [.init(method: "dmarc", result: "fail", properties: [])])
        require(verdict(author, believed + [contradiction]) != .verified, "verified although a trusted server says fail")
        require(verdict(author, believed + believed) == found)
        if found == .verified { require(believed.contains { $0.results.contains { $0.result == "pass" } }, "verified without a pass") }
    }
}
