/// The fewest digits that read back as the same number, in a form that JSON and CSV accept; `nil` when not finite.
func exactNumber(_ value: Double) -> String? {
    guard value.isFinite else { return nil }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return value.description
}

/// A whole number for people, digits in groups of three.
func groupedNumber(_ value: Int, separator: String) -> String {
    let digits = Array(String(value.magnitude))
    var result = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { result += separator }
        result.append(digit)
    }
    return result
}

/// A fraction as a percentage with one decimal. It never rounds to all or nothing: 0.9999 is `>99.9%`, 0.0001 is `<0.1%`,
/// because the difference between none and few is what readers look for.
public func percentage(_ fraction: Double, decimalPoint: String) -> String? {
    guard fraction.isFinite, abs(fraction) < 1e12 else { return nil }
    let tenths = Int((fraction * 1000).rounded())
    if fraction < 1, tenths >= 1000 { return ">99\(decimalPoint)9%" }
    if fraction > 0, tenths == 0 { return "<0\(decimalPoint)1%" }
    return (tenths < 0 ? "-" : "") + "\(abs(tenths) / 10)\(decimalPoint)\(abs(tenths) % 10)%"
}

/// A number for people: at most two decimals, none when it is whole.
func shortNumber(_ value: Double, separator: String, decimalPoint: String) -> String? {
    guard value.isFinite else { return nil }
    guard abs(value) < 1e15 else { return value.description }
    let hundredths = Int((value * 100).rounded())
    let whole = groupedNumber(abs(hundredths) / 100, separator: separator)
    let rest = abs(hundredths) % 100
    let decimals = rest == 0 ? "" : rest % 10 == 0 ? "\(decimalPoint)\(rest / 10)" : "\(decimalPoint)\(rest < 10 ? "0" : "")\(rest)"
    return (hundredths < 0 ? "-" : "") + whole + decimals
}
