/// A day as `2026-11-01` (ISO 8601, proleptic Gregorian calendar).
///
/// - Parameter day: days since 1970-01-01, UTC.
/// - Returns: ten characters, or `nil` outside the years 1…9999, which no report's window reaches.
public func isoDay(_ day: Int) -> String? {
    guard let date = civilDate(day) else { return nil }
    return padded(date.year, to: 4) + "-" + padded(date.month, to: 2) + "-" + padded(date.day, to: 2)
}

/// An instant as `2026-11-01T00:00:00Z` (RFC 3339).
///
/// - Parameter seconds: seconds since 1970-01-01T00:00:00Z.
/// - Returns: twenty characters, or `nil` outside the years 1…9999.
public func isoInstant(_ seconds: Int) -> String? {
    let (quotient, remainder) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let day = remainder < 0 ? quotient - 1 : quotient
    guard let date = isoDay(day) else { return nil }
    let rest = seconds - day * 86_400
    return date + "T" + padded(rest / 3600, to: 2) + ":" + padded(rest / 60 % 60, to: 2) + ":" + padded(rest % 60, to: 2) + "Z"
}

/// A period for people: `1–20 Nov 2026, UTC days`. Both ends are named as given.
public func periodPhrase(_ period: Table.Period) -> String {
    guard let since = civilDate(period.since), let until = civilDate(period.until) else { return "all days" }
    let end = "\(until.day) \(monthNames[until.month - 1]) \(until.year)"
    if period.since == period.until { return end + ", UTC day" }
    let begin =
        if since.year != until.year {
            "\(since.day) \(monthNames[since.month - 1]) \(since.year) – "
        } else if since.month != until.month {
            "\(since.day) \(monthNames[since.month - 1]) – "
        } else {
            "\(since.day)–"
        }
    return begin + end + ", UTC days"
}

private let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/// Days since 1970-01-01 → year, month, day, counted in eras of 400 years that begin on 1 March, so that
/// the leap day is the last day of its year.
private func civilDate(_ day: Int) -> (year: Int, month: Int, day: Int)? {
    guard (-719_162...2_932_896).contains(day) else { return nil }
    let shifted = day + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
}

private func padded(_ value: Int, to width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
