import Foundation

/// What a rollback did, or would do; encodes as the JSON of `rollback --json`.
public struct RollbackReport: Sendable, Encodable {
  /// The run that was taken back.
  public let runID: Int
  /// Whether nothing was written, and the counts are those of a rollback that would come now.
  public let isDryRun: Bool
  /// SUCCESS: nothing of the run is left; PARTIAL: rows were left alone; else how it ended.
  public let status: RunStatus
  /// When it began, by this machine's clock.
  public let startedAt: Date
  /// Wall clock.
  public let elapsedMilliseconds: Int
  /// One entry a table, children before their parents.
  public let tables: [Table]
  /// Why tables failed; empty when none did.
  package let failures: [String]
  /// What should be known though it stopped nothing.
  package let warnings: [String]
  /// What of the run no rollback takes back, in a sentence; nil where there is nothing of the kind.
  package var remainder: String?
  /// The run has written tables besides these.
  package var isOfPart = false

  /// What happened to one table.
  public struct Table: Sendable, Encodable {
    /// The table's plain name.
    public let table: String
    /// Old rows that were put back. A row that the run had updated twice counts twice.
    public internal(set) var restored = 0
    /// Inserted rows that were deleted.
    public internal(set) var deleted = 0
    /// Rows that were left as they are.
    public internal(set) var leftAlone = 0
    /// Staging rows that the next merge reads again, each counted once.
    public internal(set) var released = 0
    /// Rows that were put back, and that a trigger has made something else of.
    public internal(set) var alteredByTriggers = 0
    /// How many rows were left alone for which reason.
    public internal(set) var reasons: [String: Int] = [:]
    /// Some of the rows that were left alone.
    public internal(set) var left: [LeftRow] = []

    private enum CodingKeys: String, CodingKey {
      case table, restored, deleted, reasons, left, released
      case leftAlone = "left_alone"
      case alteredByTriggers = "altered_by_triggers"
    }
  }

  /// A row that was left alone.
  public struct LeftRow: Sendable, Encodable {
    /// The key's columns, as JSON text.
    public let key: String
    /// Why.
    public let reason: String
  }

  /// The sum of all tables.
  public var restored: Int { tables.reduce(0) { $0 + $1.restored } }
  /// The sum of all tables.
  public var deleted: Int { tables.reduce(0) { $0 + $1.deleted } }
  /// The sum of all tables.
  public var leftAlone: Int { tables.reduce(0) { $0 + $1.leftAlone } }

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case isDryRun = "dry_run"
    case status
    case startedAt = "started_at"
    case elapsedMilliseconds = "elapsed_ms"
    case tables, totals, failures, warnings, remainder
  }

  private enum TotalsKeys: String, CodingKey {
    case restored, deleted
    case leftAlone = "left_alone"
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
    try totals.encode(restored, forKey: .restored)
    try totals.encode(deleted, forKey: .deleted)
    try totals.encode(leftAlone, forKey: .leftAlone)
    if !failures.isEmpty { try container.encode(failures, forKey: .failures) }
    if !warnings.isEmpty { try container.encode(warnings, forKey: .warnings) }
    try container.encodeIfPresent(remainder, forKey: .remainder)
  }
}
