import CZlib

/// Archives built byte by byte, so that tests can break any field of them.
package enum Archives {
    package static let report = Array("<?xml version=\"1.0\"?>\n<feedback><report_metadata/></feedback>\n".utf8)

    /// Compressed as a gzip (31), a zlib stream (15) or bare deflate data (-15).
    package static func deflated(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 64)
        var input = bytes
        input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                deflate(&stream, Z_FINISH)
            }
        }
        return Array(output.prefix(Int(stream.total_out)))
    }

    package static func gzip(_ bytes: [UInt8]) -> [UInt8] { deflated(bytes, windowBits: 31) }
    package static func zlib(_ bytes: [UInt8]) -> [UInt8] { deflated(bytes, windowBits: 15) }

    package static func checksum(_ bytes: [UInt8]) -> UInt32 { UInt32(crc32(0, bytes, UInt32(bytes.count))) }

    /// `bytes`, `count` times.
    package static func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * count)
        for _ in 0..<count { result += bytes }
        return result
    }

    /// One member of a zip, with the lies it is to tell.
    package struct Member {
        package var name: [UInt8]
        package var content: [UInt8]
        package var isStored = false
        package var hasDataDescriptor = false
        package var isZip64 = false
        package var flags: UInt16 = 0
        /// Another method than the one that was used.
        package var method: UInt16?
        package var unixMode: UInt32 = 0o100644
        package var declaredSize: UInt32?
        package var declaredChecksum: UInt32?

        package init(_ name: String, _ content: [UInt8]) {
            self.name = Array(name.utf8)
            self.content = content
        }
    }

    package static func zip(_ members: [Member], hasDirectory: Bool = true) -> [UInt8] {
        var bytes: [UInt8] = []
        var directory: [UInt8] = []
        for member in members {
            let data = member.isStored ? member.content : deflated(member.content, windowBits: -15)
            let checksum = member.declaredChecksum ?? checksum(member.content)
            let size = member.declaredSize ?? UInt32(member.content.count)
            let flags = member.flags | (member.hasDataDescriptor ? 8 : 0)
            let method: UInt16 = member.method ?? (member.isStored ? 0 : 8)
            let start = UInt32(bytes.count)
            let extra = member.isZip64 ? little(UInt16(1)) + little(UInt16(16)) + little(UInt64(size)) + little(UInt64(data.count)) : []
            let declared = member.isZip64 ? little(UInt32.max) + little(UInt32.max) : little(UInt32(data.count)) + little(size)
            let known = member.hasDataDescriptor ? [UInt8](repeating: 0, count: 12) : little(checksum) + declared
            let version: UInt16 = member.isZip64 ? 45 : 20
            bytes += little(UInt32(0x0403_4b50)) + little(version) + little(flags) + little(method) + little(UInt32(0x21_0000)) + known
            bytes += little(UInt16(member.name.count)) + little(UInt16(extra.count)) + member.name + extra + data
            if member.hasDataDescriptor {
                bytes += little(UInt32(0x0807_4b50)) + little(checksum) + little(UInt32(data.count)) + little(size)
            }
            directory += little(UInt32(0x0201_4b50)) + little(UInt16(0x0314)) + little(version) + little(flags) + little(method)
            directory += little(UInt32(0x21_0000)) + little(checksum) + declared
            directory += little(UInt16(member.name.count)) + little(UInt16(extra.count)) + little(UInt16(0)) + little(UInt32(0))
            directory += little(member.unixMode << 16) + little(start) + member.name + extra
        }
        if hasDirectory { bytes += directory + end(members.count, directory.count, at: bytes.count) }
        return bytes
    }

    /// The record at the end of a zip.
    package static func end(_ count: Int, _ size: Int, at offset: Int) -> [UInt8] {
        little(UInt32(0x0605_4b50)) + little(UInt32(0)) + little(UInt16(count)) + little(UInt16(count))
            + little(UInt32(size)) + little(UInt32(offset)) + little(UInt16(0))
    }

    package static func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    /// A gzip of `head`, `unit` `count` times, and `tail`, made piece by piece: the content may be larger than the memory.
    package static func gzip(_ head: [UInt8], repeating unit: [UInt8], count: Int, _ tail: [UInt8] = [], level: Int32 = 6) -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(&stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var result: [UInt8] = []
        var output = [UInt8](repeating: 0, count: 256 << 10)
        func add(_ bytes: [UInt8], _ flush: Int32) {
            var input = bytes
            input.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                var isDone = false
                while !isDone {
                    output.withUnsafeMutableBufferPointer { output in
                        stream.next_out = output.baseAddress
                        stream.avail_out = UInt32(output.count)
                        deflate(&stream, flush)
                    }
                    result += output.prefix(output.count - Int(stream.avail_out))
                    isDone = stream.avail_out > 0
                }
            }
        }
        add(head, Z_NO_FLUSH)
        for _ in 0..<count { add(unit, Z_NO_FLUSH) }
        add(tail, Z_FINISH)
        return result
    }
}
