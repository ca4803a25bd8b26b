/// How many messages, and how many of them passed.
public struct Rate: Hashable, Sendable {
    /// All messages.
    public var messages = 0
    /// Those with aligned DKIM or SPF.
    public var passed = 0

    /// Nothing.
    public init(messages: Int = 0, passed: Int = 0) {
        self.messages = messages
        self.passed = passed
    }

    /// Passed by messages, a fraction 0…1; nil where there are no messages.
    public var value: Double? { messages == 0 ? nil : Double(passed) / Double(messages) }

    /// The rate of what is left without `other`; nil where nothing is left or `other` is not known.
    package func without(_ other: Rate?) -> Double? {
        guard let other else { return nil }
        return Rate(messages: messages - other.messages, passed: passed - other.passed).value
    }

    package static func + (a: Rate, b: Rate) -> Rate { Rate(messages: a.messages + b.messages, passed: a.passed + b.passed) }
}
