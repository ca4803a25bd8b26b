/// Ends the program with `complaint` if `condition` does not hold, also in an optimised build, where `precondition` says nothing.
func require(_ condition: Bool, _ complaint: @autoclosure () -> String = "it does not hold") {
    if !condition { fatalError(complaint()) }
}
