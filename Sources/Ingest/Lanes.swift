import Glibc

/// Carries what the workers make of the messages to the one writer, in the order of the mailbox.
///
/// Messages are handed out in chunks, each chunk has a lane. The writer empties the lanes one after another; only the worker whose lane is
/// at its turn may go on without end, the others wait when their lane is full. So memory is bounded, a report too large to be held passes
/// through in pieces while nothing else is written, and the result does not depend on which thread was faster.
///
/// `@unchecked Sendable`: every stored property that changes is read and written between `pthread_mutex_lock` and `pthread_mutex_unlock` of
/// `mutex` only, in `locked` and `wait`.
final class Lanes<Element: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Held by whoever asks for work; never taken by one that holds `mutex`.
    private let sourceMutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var lanes: [Int: (elements: [Element], weight: Int, isClosed: Bool)] = [:]
    private var current = 0
    private var next = 0
    private var isExhausted = false
    private var isCancelled = false
    private let ahead: Int
    private let capacity: Int

    /// At most `ahead` lanes open, each holding elements of a weight of about `capacity`.
    init(ahead: Int, capacity: Int) {
        self.ahead = ahead
        self.capacity = capacity
        mutex = .allocate(capacity: 1)
        sourceMutex = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_mutex_init(sourceMutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        pthread_mutex_destroy(sourceMutex)
        changed.deallocate()
        mutex.deallocate()
        sourceMutex.deallocate()
    }

    private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Gives up the lock until something has changed.
    private func wait() { pthread_cond_wait(changed, mutex) }

    /// Opens the next lane for what `source` gives; nil when it gives nothing more, or after `cancel`. `source` is called by one thread at a
    /// time, and while it waits for a server the lanes go on.
    func open<Work>(_ source: () -> [Work]) -> (lane: Int, work: [Work])? {
        pthread_mutex_lock(sourceMutex)
        defer { pthread_mutex_unlock(sourceMutex) }
        let mayOpen = locked {
            while !isCancelled, !isExhausted, next >= current + ahead { wait() }
            return !isCancelled && !isExhausted
        }
        guard mayOpen else { return nil }
        let work = source()
        return locked {
            guard !work.isEmpty else {
                isExhausted = true
                pthread_cond_broadcast(changed)
                return nil
            }
            let lane = next
            next += 1
            lanes[lane] = ([], 0, false)
            return (lane, work)
        }
    }

    /// Puts elements into a lane; waits while it is full. False: the writer has given up.
    func put(_ elements: [Element], weight: Int, into lane: Int) -> Bool {
        locked {
            while !isCancelled, let state = lanes[lane], state.weight > 0, state.weight + weight > capacity { wait() }
            if isCancelled { return false }
            lanes[lane]?.elements.append(contentsOf: elements)
            lanes[lane]?.weight += weight
            if lane == current { pthread_cond_broadcast(changed) }
            return true
        }
    }

    /// Ends a lane.
    func close(_ lane: Int) {
        locked {
            lanes[lane]?.isClosed = true
            pthread_cond_broadcast(changed)
        }
    }

    /// What waits in the lane at its turn; nil when all lanes are done.
    func take() -> [Element]? {
        locked {
            while true {
                if isCancelled { return nil }
                if let state = lanes[current] {
                    if !state.elements.isEmpty {
                        lanes[current] = ([], 0, state.isClosed)
                        pthread_cond_broadcast(changed)
                        return state.elements
                    }
                    if state.isClosed {
                        lanes[current] = nil
                        current += 1
                        pthread_cond_broadcast(changed)
                        continue
                    }
                } else if isExhausted, current == next {
                    return nil
                }
                wait()
            }
        }
    }

    /// Ends everything: nothing more is handed out, taken or waited for.
    func cancel() {
        locked {
            isCancelled = true
            pthread_cond_broadcast(changed)
        }
    }
}
