/// The phases of a reload, in their order.
package enum ReloadPhase: String, Sendable, Codable, CaseIterable {
  /// Tables, staging, documents and connections are looked at; nothing is written yet.
  case check
  /// The task is made.
  case create
  /// DMS loads.
  case load
  /// The load is judged.
  case judge
  /// Staging is merged into production.
  case merge
  /// Production is compared with staging.
  case verify
  /// The rows that DMS found to differ are looked at again.
  case failures
  /// DMS compares Oracle and production.
  case validate
  /// Staging is emptied.
  case cleanup
  /// The task is deleted.
  case delete
}
