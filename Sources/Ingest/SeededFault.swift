#if DEBUG
    import CLinux
    import Glibc

    /// Faults that only debug builds have, so that tests can show what a message costs that ends the process.
    package enum SeededFault {
        private static let mark = Array("<!--seeded-fault:".utf8)

        /// Does what a document asks for that begins with the mark: `crash`, `time` or `memory`; `confined` crashes unless
        /// nothing can be done that whoever took the process over would do next.
        static func occur(in document: UnsafeRawBufferPointer) {
            guard document.starts(with: mark) else { return }
            let kind = String(decoding: document.dropFirst(mark.count).prefix { $0 != 0x2D }, as: UTF8.self)
            switch kind {
            case "crash": fatalError("a fault that was asked for")
            case "time": while true {}
            case "memory":
                var held: [[UInt8]] = []
                while true { held.append([UInt8](repeating: 1, count: 1 << 20)) }
            case "confined":
                for (name, error) in attempts() where error != EPERM { fatalError("\(name) ended with \(error)") }
            default: break
            }
        }

        /// What whoever took the process over would do next, each with the error number that it ended with.
        package static func attempts() -> [(name: String, error: Int32)] {
            sequence(state: Int32(0)) { number -> (String, Int32)? in
                defer { number += 1 }
                var name: UnsafePointer<CChar>?
                let error = dmarcstat_attempt(number, &name)
                return name.map { (String(cString: $0), error) }
            }.map { $0 }
        }

        /// Crashes for a report that asks for it, when it is stored; or unless the process that stores is kept to its places.
        static func occur(storing reporter: String) {
            switch reporter {
            case "seeded-fault.example": fatalError("a fault that was asked for")
            case "seeded-places.example":
                // Files that anybody may read, and a folder where root may make some; neither is anything to an ingest.
                if open("/etc/group", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES { fatalError("/etc/group can be opened") }
                if mkdir("/dmarcstat-was-here", 0o700) == 0 || errno != EACCES { fatalError("a folder can be made in /") }
                for (name, error) in attempts() where ["socket", "io_uring", "ptrace", "read-memory"].contains(name) && error != EPERM {
                    fatalError("\(name) ended with \(error)")
                }
            default: break
            }
        }
    }
#endif
