import CZlib
import Foundation

/// A database that an earlier version left, with what it answered then. `scripts/record-fixture.sh` made it.
public struct DatabaseFixture: Sendable, CustomStringConvertible {
    /// The number of its schema.
    public let schema: Int
    /// Its folder.
    public let folder: URL

    /// The fixtures that there are, the oldest schema first.
    public static let all: [DatabaseFixture] = {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
        return names.compactMap { name in
            guard name.hasPrefix("schema-"), let schema = Int(name.dropFirst(7)) else { return nil }
            return DatabaseFixture(schema: schema, folder: root.appendingPathComponent(name))
        }.sorted { $0.schema < $1.schema }
    }()

    /// How tests name it.
    public var description: String { "schema \(schema)" }

    /// Writes the database to `path`, which only its owner may read, as ever.
    public func unpack(to path: String) throws {
        try Self.unpacked(folder.appendingPathComponent("dmarc.sqlite.gz")).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    /// The lines of a recorded answer; `name` is that of the file, `.gz` or not.
    public func answer(_ name: String) throws -> [String] {
        let file = folder.appendingPathComponent(name)
        let bytes = name.hasSuffix(".gz") ? try Self.unpacked(file) : try Data(contentsOf: file)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// What a gzip file holds.
    private static func unpacked(_ file: URL) throws -> Data {
        guard let handle = gzopen(file.path, "rb") else { throw CocoaError(.fileReadNoSuchFile) }
        defer { gzclose(handle) }
        var result = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = gzread(handle, &buffer, UInt32(buffer.count))
            guard count >= 0 else { throw CocoaError(.fileReadCorruptFile) }
            guard count > 0 else { return result }
            result.append(contentsOf: buffer[..<Int(count)])
        }
    }
}
