import Testing

@testable import Mail

@Suite("When the newest mail came in")
struct DeliveryTests {
    @Test("a maildir knows when its unread mail was delivered, by the names that its server gave")
    func deliveries() throws {
        let folder = try TemporaryFolder()
        let box = try folder.maildir()
        for (index, name) in [
            "1780369200.M1P1.mx", "1780369300.M2P1.mx:2,S", "1780369100.a", "9.M1P1.mx", "99999999999.x", "a1780369400", "1780369500.k",
        ]
        .enumerated() {
            try folder.write("box/\(index == 1 ? "cur" : "new")/\(name)", "a mail")
        }
        try folder.write("box/cur/1780369050.y", "a mail")
        let mailbox = try openMailbox(path: box, standardInput: 0, limits: MailLimits(), isKnown: { $0 == "1780369500.k" })
        #expect(mailbox.newestDeliveries(2) == [1_780_369_300, 1_780_369_200])
        #expect(mailbox.newestDeliveries(9) == [1_780_369_300, 1_780_369_200, 1_780_369_100, 1_780_369_050])
        let times = Dictionary(uniqueKeysWithValues: try mailbox.next(99).map { ($0.key, $0.deliveredAt) })
        #expect(times["1780369200.M1P1.mx"] == 1_780_369_200 && times["9.M1P1.mx"] == .some(nil) && times.count == 7)
        // The same in a folder of folders.
        let tree = try openMailbox(path: folder.path, standardInput: 0, limits: MailLimits(), isKnown: { _ in false })
        #expect(tree.newestDeliveries(1) == [1_780_369_500])
    }
}
