/// What to add to the configuration so that it is checked whom reports come from; said once by `advise`, `status` and `doctor`.
enum TrustHint {
    /// The line, as it stands in a configuration file below `[authenticity]`.
    static let line = #"trusted_authserv_id = ["mx.example.nl"]"#

    /// For `status` and `doctor`, which speak English.
    static let sentence =
        "Nobody checks whom a report comes from. Add to the configuration, below [authenticity], with the name of your mail server: \(line)"
}
