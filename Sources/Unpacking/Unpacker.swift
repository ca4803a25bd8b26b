/// Unpacks attachments into documents, under limits that hold for a whole message.
///
/// Content decides at each layer what it is; names, media types and declared sizes are never trusted. Documents are
/// streamed to the receiver in pieces, so memory does not grow with them. Nothing is ever written to disk.
///
/// One unpacker serves one thread and any number of messages: its zlib state and its buffer are used again.
public final class Unpacker {
    private let limits: UnpackLimits
    private let inflater = Inflater()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var spent = Spent()

    /// What the present message and attachment have used up.
    private struct Spent {
        /// Bytes unpacked in this message.
        var message = 0
        /// Bytes of this message unpacked for the sake of a checksum.
        var verified = 0
        /// Bytes unpacked from this attachment, and its size.
        var attachment = 0
        var attachmentSize = 0
        /// Documents of this attachment that have begun.
        var documents = 0
        /// Files of this attachment that were handed over, and the bytes of all of them.
        var files = 0
        var fileBytes = 0
        var name = ""
        /// Nothing more of this attachment can be unpacked.
        var isExhausted = false
    }

    /// What is around the bytes being looked at.
    private struct Layer {
        var member: String
        var outermost: Container
        var notes: DocumentNotes
        /// Containers opened so far.
        var depth: Int
    }

    /// An unpacker with these limits.
    public init(limits: UnpackLimits) {
        self.limits = limits
    }

    deinit {
        buffer.deallocate()
    }

    /// Begins a message: the budget is whole again. To be called once before the attachments of each message.
    public func beginMessage() {
        spent = Spent()
    }

    /// Unpacks one attachment and hands over each document in it.
    ///
    /// - Parameters:
    ///   - bytes: the attachment, its transfer encoding undone.
    ///   - name: its file name, used in errors only.
    ///   - receiver: takes the documents.
    /// - Throws: what kept a document from beginning at all. Damage found later is told to `documentEnds`; it is thrown
    ///   only if it hides further members. When `no-report-in-archive` or `unknown-container` is thrown, there was no document.
    public func unpack<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, name: String, into receiver: inout R
    ) throws(UnpackError) {
        spent.attachment = 0
        spent.attachmentSize = bytes.count
        spent.documents = 0
        spent.files = 0
        spent.fileBytes = 0
        spent.name = name
        spent.isExhausted = false
        let container = sniff(bytes)
        try open(bytes, container, Layer(member: "", outermost: container, notes: [], depth: 0), into: &receiver)
    }

    /// `bytes` as a gzip stream of level 6, without a name or a time: the same bytes give the same stream.
    public static func gzipCompressed(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        gzip(bytes)
    }

    /// What `gzipCompressed` was given; nil if these bytes are not whole, or hold more than `maxBytes`.
    public static func gzipInflated(_ bytes: UnsafeRawBufferPointer, maxBytes: Int) -> [UInt8]? {
        let inflater = Inflater()
        inflater.start(bytes, .gzip)
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while content.count <= maxBytes {
            let (count, progress) = piece.withUnsafeMutableBytes { inflater.inflate(into: $0) }
            content += piece[..<count]
            switch progress {
            case .more: continue
            case .ended: return content.count <= maxBytes ? content : nil
            case .failed: return nil
            }
        }
        return nil
    }

    private func open<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, _ container: Container, _ layer: Layer, into receiver: inout R
    ) throws(UnpackError) {
        var inner = layer
        switch container {
        case .none:
            // Members and the content of streams are sniffed before they come here: this is the attachment itself.
            throw error(Failure(.unknownContainer, describe(bytes)), layer.member)
        case .xml:
            deliverPlain(bytes, layer, into: &receiver)
            return
        case .gzip, .zip, .zlib, .bzip2, .xz, .zstd, .lz4:
            guard layer.depth < limits.maxNesting else {
                let found = "\(layer.depth + 1) containers around each other; the limit is \(limits.maxNesting) (limits.nesting)"
                throw error(Failure(.nestedTooDeep, found), layer.member)
            }
            inner.depth += 1
        }
        if inner.depth > 1 { inner.notes.insert(.nested) }
        switch container {
        case .zip:
            try openZip(bytes, inner, into: &receiver)
        case .zlib:
            inner.notes.insert(.zlibStream)
            try openDeflated(bytes, .zlib, inner, into: &receiver)
        case .bzip2, .xz, .zstd, .lz4:
            try openFiltered(bytes, container, inner, into: &receiver)
        default:
            try openDeflated(bytes, .gzip, inner, into: &receiver)
        }
    }

    /// Opens an archive in an archive.
    private func openInner<R: DocumentReceiver>(
        _ content: [UInt8], _ container: Container, _ layer: Layer, into receiver: inout R
    ) throws(UnpackError) {
        try content.withUnsafeBufferPointer { (bytes) throws(UnpackError) in
            try open(UnsafeRawBufferPointer(bytes), container, layer, into: &receiver)
        }
    }

    // MARK: Plain XML

    private func deliverPlain<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, _ layer: Layer, isCharged: Bool = false, into receiver: inout R
    ) {
        let facts = begin(layer)
        var failure = isCharged ? nil : charge(bytes.count)
        for _ in 0...UnpackLimits.maxRepeats {
            receiver.documentBegins(facts)
            var position = 0
            while failure == nil, position < bytes.count {
                let end = min(position + buffer.count, bytes.count)
                guard receiver.receive(UnsafeRawBufferPointer(rebasing: bytes[position..<end])) else { break }
                position = end
            }
            let problem = failure.map { error($0, layer.member) }
            failure = nil
            if receiver.documentEnds(facts, error: problem) == .next || problem != nil { return }
        }
    }

    // MARK: bzip2, xz, zstd and lz4

    /// Unpacks a stream that libarchive reads. Such reports are rare and small: the content is held as an inner archive is, under its limit.
    private func openFiltered<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, _ container: Container, _ layer: Layer, into receiver: inout R
    ) throws(UnpackError) {
        let stream = FilteredStream(bytes, container)
        var content: [UInt8] = []
        reading: while true {
            switch stream.read() {
            case .bytes(let piece):
                if let failure = charge(piece.count) { throw error(failure, layer.member) }
                content.append(contentsOf: piece)
                if content.count > limits.maxInnerArchiveBytes {
                    throw error(
                        Failure(
                            .unpackedTooLarge,
                            "more than \(limits.maxInnerArchiveBytes) bytes in a stream of \(container.rawValue) (limits.inner_archive_bytes)"
                        ),
                        layer.member)
                }
            case .end: break reading
            case .failed(let failure): throw error(failure, layer.member)
            }
        }
        try content.withUnsafeBufferPointer { (buffer) throws(UnpackError) in
            let content = UnsafeRawBufferPointer(buffer)
            let inner = sniff(content)
            switch inner {
            case .none:
                guard receiver.wantsFile(beginning: content, member: layer.member) else { throw error(noReport(content), layer.member) }
                try handOver(Array(content), layer, to: &receiver)
            case .xml: deliverPlain(content, layer, isCharged: true, into: &receiver)
            default: try open(content, inner, layer, into: &receiver)
            }
        }
    }

    /// The content of a compressed stream that is no document, such as a whole mail.
    ///
    /// - Parameter maxBytes: nothing more is unpacked; with `isHeadOnly` what there is by then is returned, and else it is an error.
    /// - Throws: `gzip-truncated`, `gzip-checksum`, `archive-damaged`, `unpacked-too-large`; `place` is empty.
    public static func content(
        of bytes: UnsafeRawBufferPointer, _ container: Container, maxBytes: Int, isHeadOnly: Bool = false
    ) throws(UnpackError) -> [UInt8] {
        var content: [UInt8] = []
        /// Whether there is enough.
        func add(_ piece: UnsafeRawBufferPointer) throws(UnpackError) -> Bool {
            content.append(contentsOf: piece.prefix(isHeadOnly ? maxBytes - content.count : piece.count))
            if isHeadOnly { return content.count >= maxBytes }
            guard content.count <= maxBytes else {
                throw UnpackError(
                    code: .unpackedTooLarge, place: "", found: "more than \(maxBytes) bytes in a stream of \(container.rawValue)")
            }
            return false
        }
        func fail(_ failure: Failure) throws(UnpackError) {
            // For a look at the head it does not matter how it ends.
            if isHeadOnly, !content.isEmpty { return }
            throw UnpackError(code: failure.code, place: "", found: failure.found)
        }
        switch container {
        case .gzip, .zlib:
            let inflater = Inflater()
            inflater.start(bytes, container == .gzip ? .gzip : .zlib)
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: isHeadOnly ? maxBytes : 64 << 10, alignment: 16)
            defer { piece.deallocate() }
            while true {
                let (count, progress) = inflater.inflate(into: piece)
                if try add(UnsafeRawBufferPointer(rebasing: piece[..<count])) { return content }
                switch progress {
                case .more: continue
                case .failed(let failure):
                    try fail(failure)
                    return content
                case .ended:
                    // Several members are one stream (RFC 1952 section 2.2).
                    let position = bytes.count - inflater.unread
                    guard container == .gzip, position < bytes.count, bytes[position...].starts(with: [0x1f, 0x8b, 8]) else {
                        return content
                    }
                    inflater.start(UnsafeRawBufferPointer(rebasing: bytes[position...]), .gzip)
                }
            }
        case .bzip2, .xz, .zstd, .lz4:
            let stream = FilteredStream(bytes, container)
            while true {
                switch stream.read() {
                case .bytes(let piece): if try add(piece) { return content }
                case .end: return content
                case .failed(let failure):
                    try fail(failure)
                    return content
                }
            }
        case .zip, .xml, .none: return content
        }
    }

    // MARK: gzip and zlib

    private enum PassEnd {
        /// A document has been delivered; another one begins at `next`.
        case document(DocumentFacts, Failure?, next: Int?)
        /// The content is an archive itself.
        case archive([UInt8], Container, DocumentNotes)
        /// The content is none, and wanted.
        case file([UInt8], DocumentNotes)
    }

    private func openDeflated<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, _ format: Inflater.Format, _ layer: Layer, into receiver: inout R
    ) throws(UnpackError) {
        var start = 0
        var repeats = 0
        var members = 1
        while true {
            switch try inflateDocument(bytes, from: start, format, layer, isRepeat: repeats > 0, into: &receiver) {
            case .archive(let inner, let container, let notes):
                var innerLayer = layer
                innerLayer.notes = notes
                try openInner(inner, container, innerLayer, into: &receiver)
                return
            case .file(let content, let notes):
                var innerLayer = layer
                innerLayer.notes = notes
                try handOver(content, innerLayer, to: &receiver)
                return
            case .document(let facts, let failure, let next):
                let step = receiver.documentEnds(facts, error: failure.map { error($0, layer.member) })
                if step == .again, repeats < UnpackLimits.maxRepeats, !spent.isExhausted {
                    repeats += 1
                    continue
                }
                guard let next, failure == nil else { return }
                members += 1
                if members > limits.maxMembers { throw tooManyMembers(layer) }
                start = next
                repeats = 0
            }
        }
    }

    /// Unpacks one document, which begins with the gzip member at `start`.
    private func inflateDocument<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ format: Inflater.Format, _ layer: Layer, isRepeat: Bool,
        into receiver: inout R
    ) throws(UnpackError) -> PassEnd {
        var layer = layer
        var facts: DocumentFacts?
        var content: Container?
        var archive: [UInt8] = []
        var isWanted = true
        var filled = 0
        inflater.start(UnsafeRawBufferPointer(rebasing: bytes[start...]), format)
        while true {
            let (count, progress) = inflater.inflate(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            filled += count
            var failure = isWanted ? (isRepeat ? nil : charge(count)) : verify(count)
            var isEnd = failure != nil
            var next: Int?
            switch progress {
            case .more:
                break
            case .failed(let reason):
                failure = failure ?? reason
                isEnd = true
            case .ended:
                let position = bytes.count - inflater.unread
                if position == bytes.count {
                    isEnd = true
                } else if format == .gzip, isGzipMember(bytes, at: position) {
                    // RFC 1952 section 2.2: members follow each other and their content is one. But two whole reports
                    // in one stream are two.
                    layer.notes.insert(.concatenatedMembers)
                    if facts != nil || filled > 0, startsDocument(bytes, at: position) {
                        next = position
                        isEnd = true
                    } else {
                        inflater.start(UnsafeRawBufferPointer(rebasing: bytes[position...]), format)
                    }
                } else {
                    layer.notes.insert(.trailingBytes)
                    isEnd = true
                }
            }
            let chunk = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
            if content == nil {
                // Few bytes may not tell yet. So many blanks as fill the buffer may stand before the document, and are kept until it is known.
                if archive.isEmpty, !isEnd, filled < buffer.count, sniffPrefix(chunk, isComplete: false) == nil { continue }
                content = sniffBlocks(&archive, chunk, isEnd: isEnd)
                if content == Container.none {
                    let known = archive + chunk
                    let refusal = known.withUnsafeBytes {
                        failure ?? (receiver.wantsFile(beginning: $0, member: layer.member) ? nil : noReport($0))
                    }
                    if let refusal { throw error(refusal, layer.member) }
                }
            }
            filled = 0
            guard content != nil else { continue }
            if content == .xml {
                if facts == nil {
                    let new = begin(layer, isRepeat: isRepeat)
                    facts = new
                    receiver.documentBegins(new)
                    if !archive.isEmpty { isWanted = archive.withUnsafeBytes { receiver.receive($0) } }
                    archive = []
                }
                if isWanted, !chunk.isEmpty { isWanted = receiver.receive(chunk) }
                if isEnd, var facts {
                    facts.notes = layer.notes
                    return .document(facts, failure, next: next)
                }
            } else {
                archive.append(contentsOf: chunk)
                if archive.count > limits.maxInnerArchiveBytes { failure = failure ?? innerTooLarge() }
                if let failure { throw error(failure, layer.member) }
                guard isEnd else { continue }
                guard let content, content != .none else { return .file(archive, layer.notes) }
                return .archive(archive, content, layer.notes)
            }
        }
    }

    private func isGzipMember(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Bool {
        position + 2 < bytes.count && bytes[position] == 0x1f && bytes[position + 1] == 0x8b && bytes[position + 2] == 8
    }

    /// Whether the gzip member at `position` begins with an XML declaration, that is, with another document.
    private func startsDocument(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { scratch in
            inflater.start(UnsafeRawBufferPointer(rebasing: bytes[position...]), .gzip)
            let (count, _) = inflater.inflate(into: scratch)
            var head = scratch[..<count]
            if head.starts(with: [0xef, 0xbb, 0xbf]) { head = head.dropFirst(3) }
            return head.drop(while: isBlank).starts(with: "<?xml".utf8)
        }
    }

    // MARK: zip

    private enum MemberEnd {
        case document(DocumentFacts, Failure?)
        case archive([UInt8], Container)
        /// Neither XML nor an archive, and wanted.
        case file([UInt8])
        /// Neither XML nor an archive.
        case other
        case failed(Failure)
    }

    /// The next regular member and its place among all entries.
    private struct Position {
        var member: ZipArchive.Member
        var index: Int
    }

    private func openZip<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, _ layer: Layer, into receiver: inout R
    ) throws(UnpackError) {
        let before = spent.documents + spent.files
        try refuseLargeDirectory(bytes, layer)
        let window = zipWindowBytes(bytes)
        guard window <= FilteredStream.maxWindowBytes else {
            let found = "a window of \(window) bytes for a member; the limit is \(FilteredStream.maxWindowBytes)"
            throw error(Failure(.unpackedTooLarge, found), layer.member)
        }
        let archive = ZipArchive(bytes)
        var problem: UnpackError?
        var entries = 0
        var members = 0
        var current = nextMember(archive, &entries, &problem, layer)
        while let position = current {
            members += 1
            if members > limits.maxMembers {
                problem = tooManyMembers(layer)
                break
            }
            var inner = layer
            inner.member = layer.member.isEmpty ? position.member.name : layer.member + "!" + position.member.name
            if position.member.name.isEmpty { inner.notes.insert(.namelessMember) }
            if members > 1 { inner.notes.insert(.severalMembers) }
            let end = readMember(archive, position.member, inner, isRepeat: false, into: &receiver)
            // Looked at now, because the facts tell whether there are several members.
            current = spent.isExhausted ? nil : nextMember(archive, &entries, &problem, layer)
            if current != nil { inner.notes.insert(.severalMembers) }
            switch end {
            case .other:
                break
            case .failed(let failure):
                problem = problem ?? error(failure, inner.member)
            case .archive(let content, let container):
                do throws(UnpackError) {
                    try openInner(content, container, inner, into: &receiver)
                } catch  where error.code != .noReportInArchive {
                    problem = problem ?? error
                } catch {}
            case .file(let content):
                do throws(UnpackError) { try handOver(content, inner, to: &receiver) } catch { problem = problem ?? error }
            case .document(var facts, let failure):
                facts.notes = inner.notes
                var step = receiver.documentEnds(facts, error: failure.map { error($0, inner.member) })
                var repeats = 0
                while step == .again, repeats < UnpackLimits.maxRepeats, !spent.isExhausted {
                    repeats += 1
                    guard case .document(_, let failure) = redeliver(bytes, position, inner, into: &receiver) else { break }
                    step = receiver.documentEnds(facts, error: failure.map { error($0, inner.member) })
                }
            }
        }
        if let problem { throw problem }
        if spent.documents + spent.files == before, !spent.isExhausted {
            throw error(Failure(.noReportInArchive, members == 0 ? "no member" : "no member holds XML"), layer.member)
        }
    }

    /// Refuses a zip of too many members before any of them is delivered, as far as its directory tells.
    private func refuseLargeDirectory(_ bytes: UnsafeRawBufferPointer, _ layer: Layer) throws(UnpackError) {
        let directory = directoryEntries(bytes, limit: limits.maxEntries + 1)
        guard directory > limits.maxMembers else { return }
        guard directory <= limits.maxEntries else { throw tooManyMembers(layer) }
        let archive = ZipArchive(bytes)
        var entries = 0
        var members = 0
        var ignored: UnpackError?
        while let position = nextMember(archive, &entries, &ignored, layer) {
            // Passing over a member of unknown size would mean unpacking it.
            guard position.member.isSizeKnown else { return }
            members += 1
            if members > limits.maxMembers { throw tooManyMembers(layer) }
        }
    }

    /// Goes to the next regular member that is not an artefact of a Mac.
    private func nextMember(
        _ archive: ZipArchive, _ entries: inout Int, _ problem: inout UnpackError?, _ layer: Layer
    ) -> Position? {
        while true {
            switch archive.next() {
            case .end:
                return nil
            case .failed(let failure):
                problem = problem ?? error(failure, layer.member)
                return nil
            case .member(let member):
                entries += 1
                if entries > limits.maxEntries {
                    problem = problem ?? tooManyMembers(layer)
                    return nil
                }
                if member.isRegular, !member.name.hasPrefix("__MACOSX/") { return Position(member: member, index: entries) }
            }
        }
    }

    /// Reads the present member of the archive to its end, or as far as it takes to know that it is no document.
    private func readMember<R: DocumentReceiver>(
        _ archive: ZipArchive, _ member: ZipArchive.Member, _ layer: Layer, isRepeat: Bool, into receiver: inout R
    ) -> MemberEnd {
        if member.isEncrypted { return .failed(Failure(.archiveEncrypted, "the member is encrypted")) }
        var facts: DocumentFacts?
        var content: Container?
        var pending: [UInt8] = []
        var isWanted = true
        var isFile = false
        while true {
            var chunk = UnsafeRawBufferPointer(start: nil, count: 0)
            var failure: Failure?
            var isEnd = true
            switch archive.read() {
            case .bytes(let bytes):
                chunk = bytes
                failure = isWanted ? (isRepeat ? nil : charge(bytes.count)) : verify(bytes.count)
                isEnd = failure != nil
            case .end:
                break
            case .failed(let reason):
                failure = reason
            }
            if content == nil {
                content = sniffBlocks(&pending, chunk, isEnd: isEnd)
                if content == nil { continue }
                if content == Container.none {
                    if let failure { return .failed(failure) }
                    let head = pending + chunk
                    isFile = head.withUnsafeBytes { receiver.wantsFile(beginning: $0, member: layer.member) }
                }
                if content == Container.none, !isFile {
                    return isEnd || member.isSizeKnown ? .other : passOver(archive)
                }
            }
            if content == .xml {
                if facts == nil {
                    let new = begin(layer, isRepeat: isRepeat)
                    facts = new
                    receiver.documentBegins(new)
                    if !pending.isEmpty { isWanted = pending.withUnsafeBytes { receiver.receive($0) } }
                    pending = []
                }
                if isWanted, !chunk.isEmpty { isWanted = receiver.receive(chunk) }
                if isEnd, let facts { return .document(facts, failure) }
            } else {
                pending.append(contentsOf: chunk)
                if pending.count > limits.maxInnerArchiveBytes { failure = failure ?? innerTooLarge() }
                if let failure { return .failed(failure) }
                if isEnd { return isFile ? .file(pending) : .archive(pending, content ?? Container.none) }
            }
        }
    }

    /// Tells what a member is. Blocks come in any size, so a few bytes or many blanks may have to be kept until that is known.
    private func sniffBlocks(_ pending: inout [UInt8], _ chunk: UnsafeRawBufferPointer, isEnd: Bool) -> Container? {
        if pending.isEmpty {
            if let content = sniffPrefix(chunk, isComplete: isEnd) { return content }
            pending.append(contentsOf: chunk)
            return nil
        }
        // Looked at together with this chunk, which is delivered on its own afterwards.
        let known = pending + chunk.prefix(buffer.count)
        let content = known.withUnsafeBytes { sniffPrefix($0, isComplete: isEnd) }
        if content == nil { pending.append(contentsOf: chunk) }
        return content
    }

    /// Unpacks the rest of a member of unknown size, which has to be done to reach the next one.
    private func passOver(_ archive: ZipArchive) -> MemberEnd {
        while true {
            switch archive.read() {
            case .bytes(let bytes):
                if let failure = charge(bytes.count) { return .failed(failure) }
            case .end:
                return .other
            case .failed(let failure):
                return .failed(failure)
            }
        }
    }

    /// Delivers a member once more, from an archive opened anew.
    private func redeliver<R: DocumentReceiver>(
        _ bytes: UnsafeRawBufferPointer, _ position: Position, _ layer: Layer, into receiver: inout R
    ) -> MemberEnd {
        let archive = ZipArchive(bytes)
        for _ in 1..<position.index { _ = archive.next() }
        guard case .member(let member) = archive.next() else { return .other }
        return readMember(archive, member, layer, isRepeat: true, into: &receiver)
    }

    // MARK: Files

    private func handOver<R: DocumentReceiver>(_ content: [UInt8], _ layer: Layer, to receiver: inout R) throws(UnpackError) {
        spent.fileBytes += content.count
        guard spent.fileBytes <= limits.maxInnerArchiveBytes else { throw error(innerTooLarge(), layer.member) }
        spent.files += 1
        receiver.receiveFile(
            content,
            DocumentFacts(
                member: layer.member, container: layer.outermost, compressedBytes: spent.attachmentSize, notes: layer.notes))
    }

    // MARK: Budget and errors

    private func begin(_ layer: Layer, isRepeat: Bool = false) -> DocumentFacts {
        if !isRepeat { spent.documents += 1 }
        return DocumentFacts(
            member: layer.member, container: layer.outermost, compressedBytes: spent.attachmentSize, notes: layer.notes)
    }

    /// Takes `count` unpacked bytes from the budget.
    private func charge(_ count: Int) -> Failure? {
        spent.message += count
        spent.attachment += count
        if spent.message > limits.maxUnpackedBytes {
            spent.isExhausted = true
            return Failure(.unpackedTooLarge, "more than \(limits.maxUnpackedBytes) bytes in this message (limits.unpacked_bytes)")
        }
        if spent.attachment > limits.ratioCheckedAboveBytes, spent.attachment / max(1, spent.attachmentSize) >= limits.maxRatio {
            spent.isExhausted = true
            let found = "\(spent.attachment) bytes from \(spent.attachmentSize); the limit is \(limits.maxRatio) to 1 (limits.ratio)"
            return Failure(.ratioTooHigh, found)
        }
        return nil
    }

    /// Takes `count` bytes that nobody wants, but that a checksum covers, from what a message may cost on that account.
    private func verify(_ count: Int) -> Failure? {
        spent.verified += count
        guard spent.verified > limits.maxVerifiedBytes else { return nil }
        spent.isExhausted = true
        return Failure(
            .unpackedTooLarge,
            "no report in it so far, and more than \(limits.maxVerifiedBytes) bytes are still to come (limits.checked_bytes)")
    }

    private func error(_ failure: Failure, _ member: String) -> UnpackError {
        let place = member.isEmpty ? spent.name : spent.name + "!" + member
        return UnpackError(code: failure.code, place: place, found: failure.found)
    }

    private func tooManyMembers(_ layer: Layer) -> UnpackError {
        error(Failure(.tooManyMembers, "more members than the limit of \(limits.maxMembers) (limits.members)"), layer.member)
    }

    private func innerTooLarge() -> Failure {
        Failure(
            .unpackedTooLarge,
            "an archive or mails in the archive of more than \(limits.maxInnerArchiveBytes) bytes (limits.inner_archive_bytes)")
    }

    private func noReport(_ content: UnsafeRawBufferPointer) -> Failure {
        Failure(.noReportInArchive, content.isEmpty ? "nothing in it" : "its content is no XML: \(describe(content))")
    }

    /// The first bytes in hexadecimal: enough to recognise a format by, harmless to print.
    private func describe(_ bytes: UnsafeRawBufferPointer) -> String {
        guard !bytes.isEmpty else { return "no bytes" }
        let hex = bytes.prefix(8).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        return "\(bytes.count) bytes or more, beginning \(hex.joined(separator: " "))"
    }
}
