import Glibc

/// A moment of the monotonic clock, which no change of the host's time touches.
struct Deadline: Comparable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    let nanoseconds: UInt64

    static var now: Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    static func after(seconds: Double) -> Deadline {
        // A limit that is no number is none: NaN would trap.
        let seconds = seconds.isNaN ? 0 : max(0, min(seconds, 1e9))
        return Deadline(nanoseconds: now.nanoseconds + UInt64(seconds * 1e9))
    }

    static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

    var isPast: Bool { self <= .now }

    /// Milliseconds until then, rounded up, at most `limit`.
    func milliseconds(atMost limit: Int32) -> Int32 {
        let now = Deadline.now.nanoseconds
        guard nanoseconds > now else { return 0 }
        return Int32(min(UInt64(limit), (nanoseconds - now) / 1_000_000 + 1))
    }

    /// Seconds until then.
    var secondsLeft: Double {
        let now = Deadline.now.nanoseconds
        return nanoseconds > now ? Double(nanoseconds - now) / 1e9 : 0
    }
}
