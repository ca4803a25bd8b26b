import Foundation
import GRDB
import Ingest
import Mail
import Store
import Testing

@testable import IMAP

@Suite("Servers as they are")
struct QuirkTests {
    static let uids: [UInt32] = [3, 5, 8, 13, 21]
    /// Tags, without their numbers, of connections on which somebody has said who asks.
    static let introduced = Monitor(Set<String>())

    static func mail(_ number: UInt32) -> String {
        """
        From: reports <d@reporter.test>
        Subject: a report
        Message-ID: <\(number)@reporter.test>
        MIME-Version: 1.0
        Content-Type: text/xml; name="r.xml"

        <feedback><report_metadata><org_name>reporter.test</org_name><email>d@reporter.test</email><report_id>\(1000 + number)</report_id>
        <date_range><begin>1780272000</begin><end>1780358399</end></date_range></report_metadata>
        <policy_published><domain>example.nl</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip>
        <count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
        <identifiers><header_from>example.nl</header_from></identifiers><auth_results/></record></feedback>

        """
    }

    /// Lines of each mail.
    static let lines = mail(3).utf8.count { $0 == 0x0a }

    static func mails(_ uids: [UInt32] = uids) -> [UInt32: String] { Dictionary(uniqueKeysWithValues: uids.map { ($0, mail($0)) }) }

    /// A database, and runs into it.
    final class Collection {
        let folder = TemporaryFolder()
        let server: ScriptedServer
        var account = ScriptedServer.account
        var after = AfterAction.leave
        private let store: ReportStore

        init(_ server: ScriptedServer) throws {
            self.server = server
            store = try ReportStore(path: folder.path + "/d.sqlite", access: .readWrite)
        }

        func run() throws -> Tally {
            var options = IngestOptions(now: 1_795_219_200, organisations: { { $0 } })
            options.after = after
            return try Ingest(store: store, options: options).run { [server, account] isKnown throws(MailError) in
                let mailbox = server.mailbox(account, isKnown: isKnown)
                do throws(IMAPError) { try mailbox.open() } catch { throw error.mailError }
                return mailbox
            }
        }

        func count(_ sql: String) throws -> Int {
            try DatabaseQueue(path: folder.path + "/d.sqlite").read { try Int.fetchOne($0, sql: sql) ?? 0 }
        }
    }

    static func places(_ tally: Tally) -> [String] { tally.deferrals.map(\.place).sorted() }

    @Test("are read, and what they do not give is named and had later", arguments: Quirk.all)
    func quirk(_ quirk: Quirk) throws {
        let server = ScriptedServer(mails: Self.mails(), capabilities: quirk.capabilities, twist: quirk.twist)
        if let validity = quirk.uidValidity { server.state.withLock { $0.uidValidity = validity } }
        let collection = try Collection(server)
        collection.account = quirk.account
        let places = quirk.deferred.map { "\(quirk.account.name)/\(quirk.account.folder)#\($0)" }.sorted()
        let good = Self.uids.filter { !quirk.deferred.contains(String($0)) }.count

        // Each run ends, gives all that can be had once, and names what cannot.
        for run in 1...2 {
            let start = Date()
            let tally = try collection.run()
            #expect(Date().timeIntervalSince(start) < 5)
            #expect(Self.places(tally) == places, "run \(run)")
            #expect(tally.deferrals.allSatisfy { !$0.detail.isEmpty }, "run \(run)")
            #expect(Set(tally.deferrals.filter { !$0.place.hasSuffix("#0") }.map(\.code)).isSubset(of: [quirk.code]), "run \(run)")
            #expect(tally.messages[.deferred, default: 0] == places.count, "run \(run)")
            #expect(tally.messages[.stored, default: 0] == (run == 1 ? good : 0), "run \(run)")
            #expect(tally.stored.reports == (run == 1 ? good : 0), "run \(run)")
            #expect(tally.known == (run == 1 ? 0 : good), "run \(run)")
            #expect(tally.seen == tally.messages[.stored, default: 0] + places.count, "run \(run)")
            #expect(tally.failures.map(\.found).allSatisfy { $0.hasPrefix(quirk.failure?.rawValue ?? "-") }, "\(tally.failures)")
            #expect(tally.failures.isEmpty == (quirk.failure == nil), "run \(run)")
            #expect(try collection.count("SELECT count(*) FROM messages WHERE outcome = 5") == places.count)
        }

        // When the server is mended nothing is missing, and nothing is there twice.
        server.state.withLock { $0.isHealed = true }
        let last = try collection.run()
        #expect(last.messages[.stored, default: 0] == Self.uids.count - good)
        #expect(last.messages[.duplicate, default: 0] == 0 && last.deferrals.isEmpty && last.failures.isEmpty)
        #expect(try collection.count("SELECT count(*) FROM reports") == Self.uids.count)
        #expect(try collection.count("SELECT count(*) FROM messages WHERE outcome = 5") == 0)
        #expect(try collection.count("SELECT count(*) FROM messages") == Self.uids.count)
        let again = try collection.run()
        #expect(again.seen == 0 && again.known == Self.uids.count)
    }

    @Test("the table names each quirk, and where it was seen")
    func table() {
        #expect(Quirk.all.count >= 25)
        #expect(Set(Quirk.all.map(\.name)).count == Quirk.all.count)
        #expect(Quirk.all.allSatisfy { $0.seen.contains("github.com/") || $0.seen.contains("Knowledge Base") })
    }

    @Test("what could not be had is tried last the next time")
    func triedLast() throws {
        let server = ScriptedServer(mails: Self.mails()) { command, _, normal, _ in
            let words = command.split(separator: " ")
            guard command.contains("BODY.PEEK"), words.count > 2 else { return normal }
            return ScriptedServer.uids(String(words[2])).contains(3) ? nil : normal
        }
        let collection = try Collection(server)
        #expect(Self.places(try collection.run()) == ["rua/INBOX#3"])
        server.state.withLock { state in
            state.log = []
            state.mails[2] = Array(Self.mail(2).utf8)
            state.mails[34] = Array(Self.mail(34).utf8)
        }
        let tally = try collection.run()
        #expect(tally.messages == [.stored: 2, .deferred: 1])
        let asked = server.log.filter { $0.contains("BODY.PEEK") }
        #expect(
            asked == ["UID FETCH 2,34,3 (UID BODY.PEEK[])"] + [2, 34, 3].map { "UID FETCH \($0) (UID BODY.PEEK[])" }, "\(asked)")
    }

    @Test("many messages that end the connection keep back none of the others", arguments: [3, 9])
    func many(bad: Int) throws {
        let uids = (1...400).map { UInt32($0) }
        let odd = Set((1...bad).map { UInt32($0 * 37) })
        let server = ScriptedServer(mails: Self.mails(uids)) { command, tag, normal, _ in
            let words = command.split(separator: " ")
            guard command.contains("BODY.PEEK"), words.count > 2 else { return normal }
            return ScriptedServer.uids(String(words[2])).contains(where: odd.contains) ? nil : normal
        }
        let collection = try Collection(server)
        let first = try collection.run()
        #expect(first.messages[.stored] == uids.count - bad && first.failures.isEmpty)
        #expect(Set(first.deferrals.map(\.place)) == Set(odd.map { "rua/INBOX#\($0)" }))
        #expect(server.connections <= 2 * bad + 2)
        #expect(try collection.run().messages == [.deferred: bad])
    }

    @Test("a server that dies at a message and does not come back gets further in each run")
    func dying() throws {
        let server = ScriptedServer(mails: Self.mails()) { command, _, normal, connection in
            // One message ends the first connection of each run, and then the server lets nobody in for a while.
            if command.contains("BODY.PEEK"), command.contains("5"), !command.contains("13 (") { return nil }
            return command == "CAPABILITY" && connection % 6 != 1 ? nil : normal
        }
        let collection = try Collection(server)
        var stored = 0
        var runs = 0
        while runs < 12, stored < 4 {
            runs += 1
            server.state.withLock { $0.connections = 0 }
            let tally = try? collection.run()
            stored += tally?.messages[.stored] ?? 0
        }
        #expect(stored >= 3, "\(runs) runs")
    }

    @Test("messages deleted by somebody else during the run are in no outcome, and the sums are right all the same")
    func vanished() throws {
        let server = ScriptedServer(mails: Self.mails())
        let front = ScriptedServer(mails: Self.mails()) { command, tag, normal, _ in
            guard command.contains("UID ") else { return normal }
            let answer = Array(server.answer(command, tag).utf8)
            if command.contains("SEARCH") { server.state.withLock { _ = $0.mails.removeValue(forKey: 8) } }
            return answer
        }
        let tally = try Collection(front).run()
        #expect(tally.messages == [.stored: 4] && tally.vanished == 1 && tally.deferrals.isEmpty)
    }

    @Test("what a folder did not give before it was made anew is forgotten, and what it does not give now is named", arguments: ["8", "0"])
    func madeAnew(validity: String) throws {
        let server = ScriptedServer(mails: Self.mails()) { command, _, normal, _ in
            let words = command.split(separator: " ")
            guard command.contains("BODY.PEEK"), words.count > 2 else { return normal }
            return ScriptedServer.uids(String(words[2])).contains(8) ? nil : normal
        }
        let collection = try Collection(server)
        #expect(try collection.run().messages == [.stored: 4, .deferred: 1])
        server.state.withLock { $0.uidValidity = validity }
        #expect(try collection.run().messages == [.duplicate: 4, .deferred: 1])
        #expect(try collection.count("SELECT count(*) FROM messages WHERE outcome = 5") == 1)
        server.state.withLock { $0.isHealed = true }
        #expect(try collection.run().messages == [.stored: 1])
        #expect(try collection.count("SELECT count(*) FROM messages WHERE outcome = 5") == 0)
    }

    // MARK: - What is done with mail

    private static let bare = "IMAP4rev1 SASL-IR AUTH=PLAIN"
    private static let plus = "IMAP4rev1 SASL-IR AUTH=PLAIN UIDPLUS"

    @Test("without MOVE a mail is copied once, and with UIDPLUS it is gone here", arguments: [bare, plus])
    func copied(capabilities: String) throws {
        let server = ScriptedServer(mails: Self.mails(), capabilities: capabilities)
        let collection = try Collection(server)
        collection.after = .move("Done")
        for run in 1...3 {
            let tally = try collection.run()
            #expect(tally.unsettled.isEmpty && tally.stored.reports == (run == 1 ? 5 : 0))
            #expect(server.state.withLock { $0.copies } == Self.uids)
        }
        #expect(server.state.withLock { $0.mails.count } == (capabilities == Self.plus ? 0 : 5))
        #expect(server.state.withLock { $0.deleted } == Set(Self.uids))
        #expect(!server.log.contains("EXPUNGE"))
    }

    @Test("a mail of which nobody knows whether it was copied stays, is named once, and is not copied again", arguments: [bare, plus])
    func cutWhileCopying(capabilities: String) throws {
        let server = ScriptedServer(mails: Self.mails(), capabilities: capabilities) { command, _, normal, _ in
            command.hasPrefix("UID COPY") ? nil : normal
        }
        let collection = try Collection(server)
        collection.after = .move("Done")
        let first = try collection.run()
        #expect(first.unsettled.allSatisfy { $0.code == .leftInPlace } && !first.unsettled.isEmpty)
        #expect(server.state.withLock { $0.copies } == Self.uids)
        server.state.withLock { $0.isHealed = true }
        let second = try collection.run()
        #expect(second.unsettled.isEmpty && second.known == 5)
        #expect(server.state.withLock { $0.copies } == Self.uids && server.state.withLock { $0.mails.count } == 5)
        #expect(try collection.count("SELECT count(*) FROM messages WHERE is_settled = 0") == 0)
    }

    @Test("a mail that was copied and cannot be removed is not copied again", arguments: ["UID STORE", "UID EXPUNGE"])
    func copiedOnly(command refused: String) throws {
        let server = ScriptedServer(mails: Self.mails(), capabilities: Self.plus) { command, tag, normal, _ in
            command.hasPrefix(refused) ? Array("\(tag) NO [NOPERM] no\r\n".utf8) : normal
        }
        let collection = try Collection(server)
        collection.after = .move("Done")
        let first = try collection.run()
        #expect(first.unsettled.allSatisfy { $0.code == .leftInPlace } && !first.unsettled.isEmpty)
        _ = try collection.run()
        #expect(server.state.withLock { $0.copies } == Self.uids)
    }

    @Test("a copy that the server refuses is tried again in the next run")
    func copyRefused() throws {
        let server = ScriptedServer(mails: Self.mails(), capabilities: Self.plus) { command, tag, normal, _ in
            command.hasPrefix("LIST") || command.hasPrefix("CREATE") ? Array("\(tag) NO [OVERQUOTA] full\r\n".utf8) : normal
        }
        let collection = try Collection(server)
        collection.after = .move("Done")
        let first = try collection.run()
        #expect(first.unsettled.allSatisfy { $0.code == .notSettled } && !first.unsettled.isEmpty)
        #expect(try collection.count("SELECT count(*) FROM messages WHERE is_settled = 0") == 5)
        server.state.withLock { $0.isHealed = true }
        #expect(try collection.run().unsettled.isEmpty)
        #expect(server.state.withLock { $0.copies } == Self.uids && server.state.withLock { $0.mails.isEmpty })
    }

    @Test("killed between the copy and its removal, the next run copies nothing again")
    func killedAfterCopy() throws {
        // The ledger as it stands when the server is told to copy.
        let seen = Monitor<Int?>(nil)
        let path = Monitor("")
        let server = ScriptedServer(mails: Self.mails(), capabilities: Self.plus) { command, _, normal, _ in
            if command.hasPrefix("UID COPY") {
                let open = try? DatabaseQueue(path: path.read { $0 }).read {
                    try Int.fetchOne($0, sql: "SELECT count(*) FROM messages WHERE is_settled = 0")
                }
                seen.update { $0 = open ?? -1 }
            }
            return normal
        }
        let collection = try Collection(server)
        path.update { $0 = collection.folder.path + "/d.sqlite" }
        collection.after = .move("Done")
        _ = try collection.run()
        #expect(seen.read { $0 } == 0)
    }

    @Test("where the server gives no UIDVALIDITY, mails are deleted and moved by what they are")
    func byContent() throws {
        let server = ScriptedServer(mails: Self.mails())
        server.state.withLock { state in
            state.uidValidity = "0"
            // Twice the same.
            state.mails[34] = state.mails[3]
        }
        let collection = try Collection(server)
        let first = try collection.run()
        #expect(first.messages == [.stored: 5] && first.known == 1)
        // Other UIDs the next time, and one more mail.
        server.state.withLock { state in
            state.mails = Dictionary(uniqueKeysWithValues: state.mails.map { ($0.key + 100, $0.value) })
            state.mails[3] = Array(Self.mail(99).utf8)
        }
        collection.after = .delete
        let second = try collection.run()
        #expect(second.messages == [.stored: 1] && second.known == 6 && second.unsettled.isEmpty)
        #expect(server.state.withLock { $0.mails.keys.sorted() } == [103, 105, 108, 113, 121, 134])
        let third = try collection.run()
        #expect(third.seen == 0 && third.known == 6)
    }
}
