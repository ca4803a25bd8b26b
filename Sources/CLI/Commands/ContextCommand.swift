import ArgumentParser

/// A command that takes the world from a `Context` only.
protocol ContextCommand: ParsableCommand {
    /// Does the work. What it throws is explained and turned into an exit status in one place.
    func run(_ context: Context) throws
}
