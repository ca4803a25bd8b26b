/// One value of a table. Each kind says how it reads in text for people and in data for programs.
///
/// | case | text | CSV | JSON |
/// |---|---|---|---|
/// | `text` | through ``safeText(_:maxScalars:)`` | guarded against formulas | string |
/// | `integer` | with thousands separators | digits | number |
/// | `rate` | percentage with one decimal | fraction | fraction, `null` when there is none |
/// | `number` | at most two decimals | shortest exact | shortest exact |
/// | `day`, `instant` | `2026-11-01`, `2026-11-01T00:00:00Z` | the same | the same, as a string |
/// | `boolean` | yes, no | `true`, `false` | `true`, `false` |
/// | `list` | joined with a comma and a blank | joined with `;` | array of strings |
/// | `bar` | a bar of blocks | fraction | fraction |
/// | `none` | a dash | empty | `null` |
/// | `object`, `array` | compact JSON | compact JSON | nested |
public indirect enum Cell: Sendable {
    /// Any text, also a stranger's: it is made safe on the way out.
    case text(String)
    /// A count or another whole number.
    case integer(Int)
    /// A fraction 0…1, or `nil` where there was nothing to divide by.
    case rate(Double?)
    /// A number that is not a fraction of something. A value that is not finite is rendered as `none`.
    case number(Double)
    /// Days since 1970-01-01, UTC.
    case day(Int)
    /// Seconds since 1970-01-01T00:00:00Z.
    case instant(Int)
    /// A truth value.
    case boolean(Bool)
    /// Several texts in one cell.
    case list([String])
    /// A fraction 0…1 to be drawn; values outside are clamped.
    case bar(Double)
    /// No value.
    case none
    /// Named members in this order, where JSON needs nesting.
    case object([(String, Cell)])
    /// Several values, where JSON needs nesting.
    case array([Cell])
}

extension Cell: Equatable {
    /// Equal when kind, order and values are equal. Written out because tuples are not `Equatable`.
    public static func == (left: Cell, right: Cell) -> Bool {
        switch (left, right) {
        case (.text(let a), .text(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.rate(let a), .rate(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.day(let a), .day(let b)): a == b
        case (.instant(let a), .instant(let b)): a == b
        case (.boolean(let a), .boolean(let b)): a == b
        case (.list(let a), .list(let b)): a == b
        case (.bar(let a), .bar(let b)): a == b
        case (.none, .none): true
        case (.object(let a), .object(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.0 == $1.0 && $0.1 == $1.1 }
        case (.array(let a), .array(let b)): a == b
        default: false
        }
    }
}

/// How a column is named, laid out and, on a narrow terminal, given up.
public struct Column: Sendable, Equatable {
    /// On which side the padding stands. Numbers belong on the right.
    public enum Alignment: Sendable, Equatable {
        /// Padding after the value.
        case left
        /// Padding before the value.
        case right
    }

    /// What colour adds on a terminal that has it. The text says the same without colour.
    public enum Emphasis: Sendable, Equatable {
        /// No colour.
        case plain
        /// A rate that should be high: green from 0.98, red below 0.90.
        case goodWhenHigh
        /// A count that should be 0: red when it is not.
        case badWhenPositive
        /// Words with a tone of their own; all others are plain.
        case words([String: Tone])
    }

    /// The tone of a word, for ``Emphasis/words(_:)``.
    public enum Tone: Sendable, Equatable {
        /// Green.
        case good
        /// Yellow.
        case doubtful
        /// Red.
        case bad
    }

    /// The name in CSV and JSON. Other programs rely on it.
    public var key: String
    /// The header in text.
    public var title: String
    /// Left for text, right for numbers.
    public var alignment: Alignment
    /// How long the column stays when the terminal is narrow: the lowest is shortened and dropped first; of equals, the rightmost.
    public var priority: Int
    /// True for what is useless when cut, such as an address: never shortened, dropped only after everything else.
    public var isIdentifier: Bool
    /// False for keys that only programs need.
    public var inText: Bool
    /// False for columns that only people need, such as bars.
    public var inData: Bool
    /// Colour on terminals that have it.
    public var emphasis: Emphasis

    /// Makes a column; `priority` is 50 unless said otherwise.
    public init(
        key: String, title: String, alignment: Alignment = .left, priority: Int = 50, isIdentifier: Bool = false,
        inText: Bool = true, inData: Bool = true, emphasis: Emphasis = .plain
    ) {
        self.key = key
        self.title = title
        self.alignment = alignment
        self.priority = priority
        self.isIdentifier = isIdentifier
        self.inText = inText
        self.inData = inData
        self.emphasis = emphasis
    }
}

/// What a command answers with, before it has a format.
public struct Table: Sendable {
    /// The days an answer covers, each as days since 1970-01-01, UTC. `until` is printed as it is given.
    public struct Period: Sendable, Equatable {
        /// First day.
        public var since: Int
        /// Last day.
        public var until: Int

        /// Makes a period.
        public init(since: Int, until: Int) {
            self.since = since
            self.until = until
        }
    }

    /// The command's name; `summary` gives the schema `dmarcstat.summary/1`.
    public var name: String
    /// The version of the schema. It changes with every change of a key or its meaning.
    public var schemaVersion: Int
    /// The period asked for, or `nil` when the question has none.
    public var period: Period?
    /// Lines above the table, text only.
    public var header: [String]
    /// The columns, in the order of the cells of each row.
    public var columns: [Column]
    /// The rows; each has one cell for each column.
    public var rows: [[Cell]]
    /// A last row under a line, text only.
    public var total: [Cell]?
    /// Lines below the table, text only.
    public var footer: [String]
    /// What text says when there is no row.
    public var emptyMessage: String
    /// Further top-level members of the JSON object, between `period` and `rows`.
    public var extra: [(String, Cell)]

    /// Makes a table. Rows may also be handed to ``render(_:as:style:into:rows:)`` one at a time.
    public init(
        name: String, schemaVersion: Int = 1, period: Period? = nil, header: [String] = [], columns: [Column], rows: [[Cell]] = [],
        total: [Cell]? = nil, footer: [String] = [], emptyMessage: String = "Nothing to show.", extra: [(String, Cell)] = []
    ) {
        self.name = name
        self.schemaVersion = schemaVersion
        self.period = period
        self.header = header
        self.columns = columns
        self.rows = rows
        self.total = total
        self.footer = footer
        self.emptyMessage = emptyMessage
        self.extra = extra
    }
}
