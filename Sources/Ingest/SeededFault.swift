#if DEBUG
    import Glibc

    /// Faults that only debug builds have, so that tests can show what a message costs that ends the process.
    enum SeededFault {
        private static let mark = Array("<!--seeded-fault:".utf8)

        /// Does what a document asks for that begins with the mark: `crash`, `time` or `memory`; `network` crashes where there is one.
        static func occur(in document: UnsafeRawBufferPointer) {
            guard document.starts(with: mark) else { return }
            let kind = String(decoding: document.dropFirst(mark.count).prefix { $0 != 0x2D }, as: UTF8.self)
            switch kind {
            case "crash": fatalError("a fault that was asked for")
            case "time": while true {}
            case "memory":
                var held: [[UInt8]] = []
                while true { held.append([UInt8](repeating: 1, count: 1 << 20)) }
            case "network":
                // The call gives a descriptor wherever sockets may be made, with or without a network behind it.
                if socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) >= 0 { fatalError("a socket could be made") }
            default: break
            }
        }

        /// Crashes for a report that asks for it, when it is stored.
        static func occur(storing reporter: String) {
            if reporter == "seeded-fault.example" { fatalError("a fault that was asked for") }
        }
    }
#endif
