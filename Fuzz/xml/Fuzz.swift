import DMARC
import ReportXML

/// XML → report, in both passes: whole and in small pieces it must come out the same, and the sums must be those of the records.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 1, let start else { return 0 }
    // The first byte is the size of the pieces.
    let bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(start: start + 1, count: count - 1))
    for pass in [ReportParser.Pass.strict, .repairing] {
        let whole = read(bytes, pass, step: bytes.count)
        let pieces = read(bytes, pass, step: Int(start[0]) + 1)
        require(whole == pieces, "in pieces it is another report: \(pieces), not \(whole)")
        guard case .success(let report) = whole else { continue }
        require(report.header.window.shares(of: report.messageCount).reduce(0, +) == report.messageCount, "shares do not add up")
    }
    return 0
}

/// No report. Which of several faults is met first may depend on the pieces, whether there is a report may not.
private struct Refused: Error, Equatable {}

private func read(_ bytes: UnsafeRawBufferPointer, _ pass: ReportParser.Pass, step: Int) -> Result<ParsedReport, Refused> {
    let parser = ReportParser()
    parser.begin(pass, now: 1_795_262_400)
    var offset = 0
    var records = 0
    var messages = 0
    func take() {
        for batch in parser.takeBatches() {
            records += batch.records.count
            for record in batch.records { messages += Int(record.messages) }
        }
    }
    while offset < bytes.count {
        let end = min(bytes.count, offset + step)
        guard parser.parse(UnsafeRawBufferPointer(rebasing: bytes[offset..<end])) else { break }
        offset = end
        take()
    }
    do throws(ReportError) {
        let report = try parser.finish()
        take()
        require(records == report.recordCount && messages == report.messageCount, "sums are not those of the records")
        return .success(report)
    } catch {
        return .failure(Refused())
    }
}
