import CGMime

/// The SHA-256 (FIPS 180-4) of `bytes` in 64 hexadecimal digits: names a message by its content where nothing else does, and nobody can make
/// another one of the same name.
public func sha256Text(_ bytes: [UInt8]) -> String {
    let digits = bytes.withUnsafeBufferPointer { g_compute_checksum_for_data(G_CHECKSUM_SHA256, $0.baseAddress, gsize($0.count)) }
    defer { g_free(digits) }
    return digits.map { String(cString: $0) } ?? ""
}
