import Foundation
import Glibc
import Testing

/// The built program in a process of its own, whose memory is watched.
enum Child {
    static let binary: URL =
        ProcessInfo.processInfo.environment["DMARCSTAT_BINARY"].map { URL(filePath: $0) }
        ?? Bundle.main.bundleURL.appending(path: "dmarcstat")
    /// Longer than anything here takes on a slow machine.
    static let patienceSeconds = 300.0

    struct Ended {
        var status: Int32
        var output: String
        var errors: String
        /// The most memory it had at one time, in MiB.
        var peakMiB: Double
    }

    /// Runs it with nothing on standard input.
    static func run(_ arguments: [String], in folder: HostileFolder) throws -> Ended {
        let process = Process()
        process.executableURL = binary
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": folder.path, "LANG": "C.UTF-8", "TZ": "UTC"]
        process.standardInput = FileHandle.nullDevice
        let name = UUID().uuidString
        let files = try ["out", "err"].map { URL(filePath: try folder.write(".\(name).\($0)", [])) }
        let handles = try files.map { try FileHandle(forWritingTo: $0) }
        defer { for handle in handles { try? handle.close() } }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        try process.run()
        let deadline = Date.now + patienceSeconds
        // The kernel's own high-water mark: it only grows, so the last look says it all. What `wait4` says includes the parent's at the fork.
        var peak = 0.0
        while process.isRunning {
            peak = max(peak, highWaterMiB(process.processIdentifier))
            if Date.now > deadline {
                Issue.record("did not end within \(patienceSeconds) seconds: \(arguments)")
                _ = kill(process.processIdentifier, SIGKILL)
            }
            usleep(2000)
        }
        process.waitUntilExit()
        let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        return Ended(
            status: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus, output: texts[0],
            errors: texts[1], peakMiB: peak)
    }

    private static func highWaterMiB(_ process: Int32) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
        else { return 0 }
        return kibibytes / 1024
    }
}
