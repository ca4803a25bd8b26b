import DMARC
import Testing

@testable import Questions

private func day(_ text: String) throws -> Day { try #require(Day(iso: text)) }

private func period(_ since: String, _ until: String) throws -> Period { try Period(since: day(since), until: day(until)) }

@Suite("Periods")
struct PeriodTests {
    @Test("the usual period is the 30 days that end with the last day that holds data")
    func usual() throws {
        let data = try period("2025-01-01", "2026-10-15")
        let today = try day("2026-11-21")
        #expect(PeriodRequest().resolve(data: data, today: today) == (try period("2026-09-16", "2026-10-15")))
        #expect(PeriodRequest().resolve(data: data, today: today, usual: .everything) == data)
        #expect(PeriodRequest().resolve(data: nil, today: today) == nil)
    }

    @Test("until alone takes the 30 days up to it, since alone reaches to the last day with data")
    func oneEnd() throws {
        let data = try period("2025-01-01", "2026-10-15")
        let today = try day("2026-11-21")
        let until = PeriodRequest(until: .days(try day("2026-03-01"), try day("2026-03-31")))
        #expect(until.resolve(data: data, today: today) == (try period("2026-03-02", "2026-03-31")))
        let since = PeriodRequest(since: .days(try day("2026-03-01"), try day("2026-03-31")))
        #expect(since.resolve(data: data, today: today) == (try period("2026-03-01", "2026-10-15")))
        let later = PeriodRequest(since: .days(try day("2026-11-01"), try day("2026-11-01")))
        #expect(later.resolve(data: data, today: today) == (try period("2026-11-01", "2026-11-01")))
        #expect(since.resolve(data: nil, today: today) == (try period("2026-03-01", "2026-11-21")))
    }

    @Test("spans count back from the last day, which is one of them")
    func spans() throws {
        let data = try period("2025-01-01", "2026-03-31")
        let today = try day("2026-11-21")
        #expect(PeriodRequest(since: .lastDays(1)).resolve(data: data, today: today) == (try period("2026-03-31", "2026-03-31")))
        #expect(PeriodRequest(since: .lastDays(84)).resolve(data: data, today: today)?.days == 84)
        #expect(PeriodRequest(since: .lastMonths(1)).resolve(data: data, today: today) == (try period("2026-03-01", "2026-03-31")))
        #expect(PeriodRequest(since: .lastMonths(6)).resolve(data: data, today: today) == (try period("2025-10-01", "2026-03-31")))
        #expect(PeriodRequest(since: .lastMonths(12)).resolve(data: data, today: today) == (try period("2025-04-01", "2026-03-31")))
        let until = PeriodExpression.days(try day("2026-01-10"), try day("2026-01-10"))
        #expect(
            PeriodRequest(since: .lastMonths(1), until: until).resolve(data: data, today: today) == (try period("2025-12-11", "2026-01-10"))
        )
    }

    @Test("both ends are taken in either order")
    func order() throws { #expect(try period("2026-02-01", "2026-01-01") == period("2026-01-01", "2026-02-01")) }

    @Test(
        "weeks are those of ISO 8601",
        arguments: [
            ("2026-11-01", "2026-W44"), ("2026-11-02", "2026-W45"), ("2027-01-01", "2026-W53"), ("2024-12-30", "2025-W01"),
            ("2021-01-03", "2020-W53"), ("2026-01-01", "2026-W01"),
        ])
    func weeks(text: String, label: String) throws { #expect(BucketSize.week.label(of: try day(text)) == label) }

    @Test("buckets cover the period without gaps", arguments: BucketSize.allCases)
    func buckets(size: BucketSize) throws {
        for (since, until) in [
            ("2026-01-31", "2026-03-01"), ("2024-02-28", "2024-03-01"), ("2026-05-05", "2026-05-05"), ("2025-11-30", "2026-12-01"),
        ] {
            let whole = try period(since, until)
            let buckets = size.buckets(of: whole)
            #expect(buckets.first?.since == whole.since && buckets.last?.until == whole.until)
            #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.until.advanced(by: 1) == $1.since })
            #expect(buckets.allSatisfy { size.label(of: $0.since) == size.label(of: $0.until) })
            #expect(zip(buckets, buckets.dropFirst()).allSatisfy { size.label(of: $0.since) < size.label(of: $1.since) })
        }
    }
}

@Suite("Numbering of sources")
struct SourceTableTests {
    @Test("every address has one number, also after the table has grown, and IPv4 is not IPv6")
    func numbers() {
        var table = SourceTable()
        var expected: [IPAddress: Int] = [:]
        for index in 0..<5000 {
            let address = index % 3 == 0 ? IPAddress(high: 1, low: UInt64(index / 6)) : IPAddress(ipv4: UInt32(index / 4))
            let number = table.number(of: address)
            #expect(expected[address, default: expected.count] == number)
            expected[address] = number
        }
        #expect(expected.allSatisfy { table.find($0.key) == $0.value })
        #expect(table.find(IPAddress(high: 2, low: 0)) == nil && table.addresses.count == expected.count)
    }
}
