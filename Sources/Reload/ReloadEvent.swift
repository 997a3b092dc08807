/// What a reload says while it goes on.
package enum ReloadEvent: Sendable {
  /// A phase begins.
  case began(ReloadPhase)
  /// A phase is done.
  case ended(PhaseResult)
  /// DMS loads.
  case loading(LoadProgress)
  /// Something to know that stops nothing.
  case warning(String)
}

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

/// What became of a phase: a line at the end.
package struct PhaseResult: Sendable, Codable {
  /// Which phase.
  package let phase: ReloadPhase
  /// How long it took, by the wall clock.
  package let elapsedMilliseconds: Int
  /// What it did, in a few words.
  package let result: String

  private enum CodingKeys: String, CodingKey {
    case phase
    case elapsedMilliseconds = "elapsed_ms"
    case result
  }
}

/// How far a load is.
package struct LoadProgress: Sendable, Hashable {
  /// The task's state.
  package var status: String
  /// AWS's estimate.
  package var percent: Int?
  /// Tables that are done, and all that are expected.
  package var tablesLoaded: Int
  /// All that are expected.
  package var tableCount: Int
  /// Rows so far, of all tables.
  package var rows: Int
  /// Since the start.
  package var elapsedMilliseconds: Int

  /// Rows in a second since the start.
  package var rowsPerSecond: Int { elapsedMilliseconds > 0 ? rows * 1000 / elapsedMilliseconds : 0 }
}
