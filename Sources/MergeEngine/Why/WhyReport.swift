/// What became of one row; encodes as the JSON of `why --json`.
public struct WhyReport: Sendable, Encodable {
  /// The table's plain name.
  public let table: String
  /// The key's columns as text.
  public let key: [String: String]
  /// The columns that staging and production share, key first.
  public let columns: [String]
  /// Staging's rows of the key, the newest first; several where it was loaded several times.
  public let staging: [StagingRow]
  /// Production's row; nil if there is none.
  public let production: ProductionRow?
  /// Where the ledger says that a run has read a row that lies where a staging row of the key lies now.
  public let reads: [Read]
  /// When rows of the key were refused, and why.
  public let refusals: [Refusal]
  /// What runs with before-images have overwritten, inserted or deleted.
  public let images: [Image]

  /// Nothing at all is known of the key.
  public var isUnknown: Bool { staging.isEmpty && production == nil && refusals.isEmpty && images.isEmpty }

  /// A staging row.
  public struct StagingRow: Sendable, Encodable {
    /// Where it lies.
    public let ctid: String
    /// The transaction that wrote it.
    public let xmin: String
    /// Whether a merge has carried it.
    public let standing: Standing
    /// What the rule says of it now, production being what it is.
    public let verdict: Verdict
    /// The columns whose values differ from production's.
    public let differing: [String]
    /// By column, as text.
    public let values: [String: String?]

    /// Whether a merge has carried a row.
    public enum Standing: String, Sendable, Encodable {
      /// One has, and does not read it again.
      case merged
      /// The next merge reads it.
      case pending
      /// It stands refused, and is not read again before somebody says so.
      case refused
      /// Its version lies outside of the window that was asked about.
      case outsideWindow = "outside_window"
    }

    /// What the rule says of a row.
    public enum Verdict: String, Sendable, Encodable {
      /// Production has no row of the key.
      case insert
      /// It is newer than production's row.
      case update
      /// It is as new as production's row, and the same.
      case unchanged
      /// It is as new as production's row, and holds something else.
      case tie
      /// Production's row is newer.
      case stale
    }
  }

  /// The production row.
  public struct ProductionRow: Sendable, Encodable {
    /// Where it lies.
    public let ctid: String
    /// The transaction that wrote it.
    public let xmin: String
    /// By column, as text.
    public let values: [String: String?]
  }

  /// A batch that has read a place.
  public struct Read: Sendable, Encodable {
    /// Its run.
    public let runID: Int?
    /// When it was recorded, UTC, ISO 8601.
    public let at: String?
    /// The worker that carried it; nil where the log has been pruned.
    public let worker: Int?
    /// Rows in it; nil where the log has been pruned.
    public let rows: Int?
    /// The staging row.
    public let ctid: String

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case at, worker, rows, ctid
    }
  }

  /// A refusal.
  public struct Refusal: Sendable, Encodable {
    /// The run that met it.
    public let runID: Int?
    /// When, UTC, ISO 8601.
    public let at: String?
    /// The server's SQLSTATE.
    public let sqlState: String?
    /// The server's message.
    public let message: String?
    /// `standing`, `retried` or `dismissed`.
    public let standing: String
    /// Why it was dismissed.
    public let dismissedBecause: String?

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case at
      case sqlState = "sqlstate"
      case message, standing
      case dismissedBecause = "dismissed_because"
    }
  }

  /// What a run has kept of the row.
  public struct Image: Sendable, Encodable {
    /// The run.
    public let runID: Int
    /// Whether it was a repair.
    public let isRepair: Bool
    /// How the run ended, or was rolled back.
    public let runStatus: String
    /// `inserted`, `updated` or `deleted`.
    public let effect: String
    /// Whether production's row is still the one that the run has left.
    public let isUntouched: Bool
    /// What the row was before, by column as text; nil for an inserted one.
    public let before: [String: String?]?

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case isRepair = "is_repair"
      case runStatus = "run_status"
      case effect
      case isUntouched = "is_untouched"
      case before
    }
  }
}
