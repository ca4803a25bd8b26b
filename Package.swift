// swift-tools-version:6.2
import PackageDescription

/// Every target of ours: Swift 6 language mode, and a warning is an error.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

// The arrows between targets go one way; ARCHITECTURE.md draws them and scripts/check-imports.sh keeps them so.
let package = Package(
    name: "dmarcstat",
    products: [.executable(name: "dmarcstat", targets: ["dmarcstat"])],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .systemLibrary(name: "CLibArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
        // No pkgConfig, which would link it: libcurl is loaded when the first connection is made.
        .systemLibrary(name: "CLibCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLibPSL", pkgConfig: "libpsl", providers: [.apt(["libpsl-dev", "publicsuffix"])]),
        // A few calls of the C library and the kernel that Swift does not import.
        .systemLibrary(name: "CLinux"),
        // The table of well-known reporters is embedded, so that the binary needs no file beside it.
        .target(name: "DMARC", resources: [.embedInCode("Reporters/reporters.tsv")], swiftSettings: strict),
        .target(name: "ReportXML", dependencies: ["DMARC", "CLibXML2"], swiftSettings: strict),
        .target(name: "Unpacking", dependencies: ["CLibArchive", "CZlib"], swiftSettings: strict),
        .target(name: "Mail", dependencies: ["CGMime"], swiftSettings: strict),
        .target(name: "IMAP", dependencies: ["Mail", "CLibCurl"], swiftSettings: strict),
        // The numbered SQL files are embedded in the binary. A file that is not listed here is found by a test.
        .target(
            name: "Migrations", path: "migrations", exclude: ["README.md"],
            resources: [
                .embedInCode("0001_initial.sql"), .embedInCode("0002_reports_covering.sql"), .embedInCode("0003_packed_records.sql"),
                .embedInCode("0004_voices.sql"),
                .embedInCode("0005_rivals.sql"),
                .embedInCode("0006_record_facts.sql"),
            ], swiftSettings: strict),
        // The table of services is embedded, so that the binary needs no file beside it.
        .target(
            name: "Organisations", dependencies: ["DMARC", "CLibPSL"], resources: [.embedInCode("services.tsv")], swiftSettings: strict),
        .target(name: "Inference", dependencies: ["DMARC", "Organisations"], swiftSettings: strict),
        .target(
            name: "Store",
            dependencies: [
                "CLinux", "DMARC", "Organisations", "Inference", "Migrations", grdb, .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .target(name: "Refresh", dependencies: ["DMARC", "Organisations", "Inference", "Store", grdb], swiftSettings: strict),
        .target(name: "Advice", dependencies: ["DMARC", "Organisations", "Inference"], swiftSettings: strict),
        .target(
            name: "Questions", dependencies: ["DMARC", "Organisations", "Inference", "Store", "Advice"], swiftSettings: strict),
        .target(
            name: "Doctor", dependencies: ["DMARC", "Organisations", "Inference", "Store", "Refresh", grdb], swiftSettings: strict),
        .target(name: "Rendering", swiftSettings: strict),
        .target(
            name: "Ingest", dependencies: ["CLinux", "DMARC", "ReportXML", "Unpacking", "Mail", "Store"], swiftSettings: strict),
        .target(
            name: "CLI",
            dependencies: [
                "CLinux", "DMARC", "ReportXML", "Unpacking", "Mail", "IMAP", "Organisations", "Inference", "Store", "Refresh", "Questions",
                "Advice", "Doctor", "Rendering", "Ingest",
                .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "TOMLKit", package: "TOMLKit"),
            ], swiftSettings: strict),
        .executableTarget(name: "dmarcstat", dependencies: ["CLI"], swiftSettings: strict),
        .testTarget(name: "DMARCTests", dependencies: ["DMARC"], swiftSettings: strict),
        .testTarget(name: "ReportXMLTests", dependencies: ["ReportXML", "DMARC"], swiftSettings: strict),
        // Archives of every kind, and with every lie, for the tests below.
        .target(name: "ArchiveMaking", dependencies: ["CZlib"], path: "Tests/ArchiveMaking", swiftSettings: strict),
        // Databases of every schema that was released, for the tests below.
        .target(name: "DatabaseFixtures", dependencies: ["CZlib"], path: "Tests/DatabaseFixtures/Access", swiftSettings: strict),
        .testTarget(name: "UnpackingTests", dependencies: ["Unpacking", "ArchiveMaking", "CZlib"], swiftSettings: strict),
        .testTarget(name: "MailTests", dependencies: ["Mail"], swiftSettings: strict),
        .testTarget(
            name: "IMAPTests",
            dependencies: ["IMAP", "Mail", "Ingest", "Store", "Unpacking", "CLI", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .testTarget(
            name: "ReportStoreTests",
            dependencies: ["Store", "DMARC", "DatabaseFixtures", "Migrations", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .testTarget(
            name: "AnalysisTests",
            dependencies: [
                "Organisations", "Inference", "Store", "Refresh", "Questions", "Advice", "Doctor", "DMARC",
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .testTarget(name: "RenderingTests", dependencies: ["Rendering"], exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "IngestTests",
            dependencies: [
                "Ingest", "Store", "Inference", "Organisations", "Refresh", "Questions", "Doctor", "DMARC", "Mail", "Unpacking",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CLITests",
            dependencies: [
                "CLI", "Organisations", "Inference", "Store", "Refresh", "Questions", "Advice", "Doctor", "CLinux", "DMARC",
                "DatabaseFixtures",
                .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["Golden", "Situations"], swiftSettings: strict),
        .testTarget(
            name: "HostileTests",
            dependencies: [
                "Organisations", "Store", "Refresh", "Questions", "Doctor", "ArchiveMaking", "CLI", "DMARC", "Ingest", "Mail", "ReportXML",
                "Unpacking", "dmarcstat",
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests", dependencies: ["CLinux", "dmarcstat", "CLI", "Ingest", "Mail"], exclude: ["corpus-differences.tsv"],
            swiftSettings: strict),
    ]
)

/// Programs that feed what reads foreign bytes with mutations (`make fuzz`): built only when asked for, because their `main` is libFuzzer's.
let fuzzers: [String: [Target.Dependency]] = [
    "xml": ["DMARC", "ReportXML"], "unpack": ["Unpacking"], "mime": ["Mail"], "header": ["Mail"], "secure": ["Mail"], "imap": ["IMAP"],
    "config": ["CLI"], "database": ["CLI"],
    "scalars": ["DMARC"], "csv": ["Rendering"], "authentication": ["DMARC", "Ingest", "Mail"],
]
if Context.environment["DMARCSTAT_FUZZ"] != nil {
    for (name, modules) in fuzzers {
        let settings = strict + [.unsafeFlags(["-parse-as-library", "-enable-testing"])]
        package.targets.append(
            .executableTarget(name: "fuzz-" + name, dependencies: modules, path: "Fuzz/" + name, swiftSettings: settings))
        package.products.append(.executable(name: "fuzz-" + name, targets: ["fuzz-" + name]))
    }
}
