/// The phases of a reload, in their order.
public enum ReloadPhase: String, Sendable, Codable, CaseIterable {
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
  /// Staging is emptied.
  case cleanup
  /// The task is deleted.
  case delete
}

/// What became of a phase: a line at the end.
public struct PhaseResult: Sendable, Codable {
  /// Which phase.
  public let phase: ReloadPhase
  /// How long it took, by the wall clock.
  public let elapsedMilliseconds: Int
  /// What it did, in a few words.
  public let result: String

  private enum CodingKeys: String, CodingKey {
    case phase
    case elapsedMilliseconds = "elapsed_ms"
    case result
  }
}

/// What a reload says while it goes on.
public enum ReloadEvent: Sendable {
  /// A phase begins.
  case began(ReloadPhase)
  /// A phase is done.
  case ended(PhaseResult)
  /// DMS loads.
  case loading(LoadProgress)
  /// Something to know that stops nothing.
  case warning(String)
}

/// How far a load is.
public struct LoadProgress: Sendable, Hashable {
  /// The task's state.
  public var status: String
  /// AWS's estimate.
  public var percent: Int?
  /// Tables that are done, and all that are expected.
  public var tablesLoaded: Int
  /// All that are expected.
  public var tableCount: Int
  /// Rows so far, of all tables.
  public var rows: Int
  /// Since the start.
  public var elapsedMilliseconds: Int

  /// Rows in a second since the start.
  public var rowsPerSecond: Int { elapsedMilliseconds > 0 ? rows * 1000 / elapsedMilliseconds : 0 }
}
