import Foundation

/// What a repair did, or would do; encodes as the JSON of `repair --json`.
public struct RepairReport: Sendable, Encodable {
  /// The run's id in `merge_summary`; nil for a dry run, and where there was nothing to do.
  public let runID: Int?
  /// Whether nothing was written, and the counts are those of a repair that would come now.
  public let isDryRun: Bool
  /// SUCCESS: all that was asked for is mended; PARTIAL: rows were left alone, or triggers have changed them; else how it ended.
  public let status: RunStatus
  /// When it began, by this machine's clock.
  public let startedAt: Date
  /// Wall clock.
  public let elapsedMilliseconds: Int
  /// One entry a table, parents first.
  public let tables: [Table]
  /// Why it failed; empty when it did not.
  package let failures: [String]

  /// What happened to one table.
  public struct Table: Sendable, Encodable {
    /// The table's plain name.
    public let table: String
    /// Rows that production lacked.
    public internal(set) var inserted = 0
    /// Rows that were older than staging's, or as new with other values.
    public internal(set) var updated = 0
    /// Rows that staging lacks.
    public internal(set) var deleted = 0
    /// Rows that were left as they are.
    public internal(set) var leftAlone = 0
    /// Rows that were inserted or updated, and that a trigger has made something else of.
    public internal(set) var alteredByTriggers = 0
    /// Differences of kinds that were not asked for.
    public internal(set) var notAskedFor = 0
    /// How many rows were left alone for which reason.
    public internal(set) var reasons: [String: Int] = [:]
    /// Some of the rows that were left alone.
    public internal(set) var left: [LeftRow] = []

    private enum CodingKeys: String, CodingKey {
      case table, inserted, updated, deleted, reasons, left
      case leftAlone = "left_alone"
      case alteredByTriggers = "altered_by_triggers"
      case notAskedFor = "not_asked_for"
    }
  }

  /// A row that was left alone.
  public struct LeftRow: Sendable, Encodable {
    /// The key's columns as text.
    public let key: [String: String]
    /// What is wrong with it, as the file says.
    public let kind: DifferenceKind
    /// Why it was left alone.
    public let reason: String
  }

  /// What triggers have made of rows, a sentence a table.
  package var alterations: [String] {
    tables.filter { $0.alteredByTriggers > 0 }.map {
      "triggers of \($0.table) changed \($0.alteredByTriggers.rows) of the repair, so these are not what staging has. Disable such triggers for "
        + "a repair (ALTER TABLE … DISABLE TRIGGER …), and run verify --output again."
    }
  }

  /// The sum of all tables.
  public var inserted: Int { tables.reduce(0) { $0 + $1.inserted } }
  /// The sum of all tables.
  public var updated: Int { tables.reduce(0) { $0 + $1.updated } }
  /// The sum of all tables.
  public var deleted: Int { tables.reduce(0) { $0 + $1.deleted } }
  /// The sum of all tables.
  public var leftAlone: Int { tables.reduce(0) { $0 + $1.leftAlone } }
  /// The sum of all tables.
  public var notAskedFor: Int { tables.reduce(0) { $0 + $1.notAskedFor } }

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case isDryRun = "dry_run"
    case status
    case startedAt = "started_at"
    case elapsedMilliseconds = "elapsed_ms"
    case tables, totals, failures
  }

  private enum TotalsKeys: String, CodingKey {
    case inserted, updated, deleted
    case leftAlone = "left_alone"
    case notAskedFor = "not_asked_for"
  }

  /// In the manner of the contract's objects.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(runID, forKey: .runID)
    try container.encode(isDryRun, forKey: .isDryRun)
    try container.encode(status, forKey: .status)
    try container.encode(
      startedAt.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
      forKey: .startedAt
    )
    try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
    try container.encode(tables, forKey: .tables)
    var totals = container.nestedContainer(keyedBy: TotalsKeys.self, forKey: .totals)
    try totals.encode(inserted, forKey: .inserted)
    try totals.encode(updated, forKey: .updated)
    try totals.encode(deleted, forKey: .deleted)
    try totals.encode(leftAlone, forKey: .leftAlone)
    try totals.encode(notAskedFor, forKey: .notAskedFor)
    if !failures.isEmpty { try container.encode(failures, forKey: .failures) }
  }
}
