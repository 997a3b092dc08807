/// What became of one row; encodes as the JSON of `why --json`.
package struct WhyReport: Sendable, Encodable {
  /// The table's plain name.
  package var table: String
  /// The node of Citus that merges the row's shard, and has all this on record; nil where there are none.
  package var node: String?
  /// The key's columns as text.
  package let key: [String: String]
  /// The columns that staging and production share, key first.
  package let columns: [String]
  /// Staging's rows of the key, the newest first; several where it was loaded several times.
  package let staging: [StagingRow]
  /// Production's row; nil if there is none.
  package let production: ProductionRow?
  /// Where the ledger says that a run has read a row that lies where a staging row of the key lies now.
  package let reads: [Read]
  /// When rows of the key were refused, and why.
  package var refusals: [Refusal]
  /// What runs with before-images have overwritten, inserted or deleted.
  package let images: [Image]

  /// Nothing at all is known of the key.
  package var isUnknown: Bool { staging.isEmpty && production == nil && refusals.isEmpty && images.isEmpty }

  /// A staging row.
  package struct StagingRow: Sendable, Encodable {
    /// Where it lies.
    package let ctid: String
    /// The transaction that wrote it.
    package let xmin: String
    /// Whether a merge has carried it.
    package let standing: Standing
    /// What the rule says of it now, production being what it is.
    package let verdict: Verdict
    /// The columns whose values differ from production's.
    package let differing: [String]
    /// By column, as text.
    package let values: [String: String?]

    /// Whether a merge has carried a row.
    package enum Standing: String, Sendable, Encodable {
      /// One has, and does not read it again.
      case merged
      /// The next merge reads it.
      case pending
      /// It stands refused, and is not read again before somebody says so.
      case refused
      /// It was refused and then dismissed: no merge reads it.
      case dismissed
      /// Its version lies outside of the window that was asked about.
      case outsideWindow = "outside_window"
    }

    /// What the rule says of a row.
    package enum Verdict: String, Sendable, Encodable {
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
      /// It, or another row of the key, can't be read as production's types: that row is refused.
      case error
    }
  }

  /// The production row.
  package struct ProductionRow: Sendable, Encodable {
    /// Where it lies.
    package let ctid: String
    /// The transaction that wrote it.
    package let xmin: String
    /// By column, as text.
    package let values: [String: String?]
  }

  /// A batch that has read a place.
  package struct Read: Sendable, Encodable {
    /// Its run.
    package let runID: Int?
    /// When it was recorded, UTC, ISO 8601.
    package let at: String?
    /// The worker that carried it; nil where the log has been pruned.
    package let worker: Int?
    /// Rows in it; nil where the log has been pruned.
    package let rows: Int?
    /// The staging row.
    package let ctid: String
    /// All that is known is that the table was merged wholly by the end of this run.
    package let isOrEarlier: Bool

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case at, worker, rows, ctid
      case isOrEarlier = "or_earlier"
    }
  }

  /// A refusal.
  package struct Refusal: Sendable, Encodable {
    /// The run that met it.
    package let runID: Int?
    /// When, UTC, ISO 8601.
    package let at: String?
    /// The server's SQLSTATE.
    package let sqlState: String?
    /// The server's message.
    package var message: String?
    /// `standing`; `gone`, its row having left staging or changed there, which the next merge notes; `retried`, which is said then
    /// too; or `dismissed`.
    package let standing: String
    /// Why it was dismissed.
    package let dismissedBecause: String?

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case at
      case sqlState = "sqlstate"
      case message, standing
      case dismissedBecause = "dismissed_because"
    }
  }

  /// What a run has kept of the row.
  package struct Image: Sendable, Encodable {
    /// The run.
    package let runID: Int
    /// Whether it was a repair.
    package let isRepair: Bool
    /// How the run ended, or was rolled back.
    package let runStatus: String
    /// `inserted`, `updated` or `deleted`.
    package let effect: String
    /// Whether production's row is still the one that the run has left.
    package let isUntouched: Bool
    /// What the row was before, by column as text; nil for an inserted one.
    package let before: [String: String?]?

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
