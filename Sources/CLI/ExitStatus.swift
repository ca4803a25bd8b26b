import Store

/// What the process tells its parent (numbers of sysexits.h).
public enum ExitStatus: Int32, Sendable {
    /// Done, also when there was nothing to do.
    case done = 0
    /// A condition asked for holds.
    case condition = 1
    /// The command line is wrong.
    case usage = 64
    /// With `--strict`: something was refused.
    case refused = 65
    /// A server cannot be reached.
    case unavailable = 69
    /// A mistake of ours.
    case defect = 70
    /// Something cannot be read or written.
    case inputOutput = 74
    /// Try again later.
    case tryAgain = 75
    /// Not allowed.
    case permission = 77
    /// The configuration is wrong.
    case configuration = 78

    /// The code of an error. A reader that went away is no error.
    init(_ error: any Error) {
        self =
            switch error {
            case let error as CommandError: ExitStatus(error)
            case let error as StoreError: ExitStatus(error.code)
            case is ConfigurationError: .configuration
            case is ClockError: .tryAgain
            case OutputError.closed: .done
            case let error as AlreadySaid: error.status
            case OutputError.failed(let number): ExitStatus(systemError: number)
            default: .defect
            }
    }

    private init(_ error: CommandError) {
        self =
            switch error {
            case .usage: .usage
            case .noDatabasePlace: .configuration
            case .noSuchReport: .inputOutput
            case .input(let error): error.errno == 0 ? .inputOutput : ExitStatus(systemError: error.errno)
            case .output(_, .closed): .done
            case .output(_, .failed(let number)): ExitStatus(systemError: number)
            }
    }

    private init(_ code: StoreError.Code) {
        self =
            switch code {
            case .databaseLocked, .diskFull: .tryAgain
            case .databaseUnsafe, .databasePermission: .permission
            case .defect: .defect
            case .fileExists: .usage
            default: .inputOutput
            }
    }
}
