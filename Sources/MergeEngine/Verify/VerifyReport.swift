import Foundation

/// What a verification found; decodes from what it was recorded as.
public struct VerifyReport: Sendable, Codable {
  /// How it ended.
  public enum Status: String, Sendable, Codable {
    /// Every row that was compared is in production as it should be.
    case success = "SUCCESS"
    /// Every row that was compared is, but others stand refused and were not.
    case partial = "PARTIAL"
    /// There are differences.
    case different = "DIFFERENT"
    /// There was nothing to compare, which proves nothing.
    case nothingCompared = "NOTHING COMPARED"
    /// The tables can't be compared; only types were looked at.
    case blocked = "BLOCKED"
    /// Interrupted; what was found up to then.
    case aborted = "ABORTED"
  }

  /// How it ended.
  public let status: Status
  /// When it began, by this machine's clock.
  public let startedAt: Date
  /// When it ended, by this machine's clock.
  public let finishedAt: Date
  /// Wall clock, the pause before the second look included.
  public let elapsedMilliseconds: Int
  /// Wall clock of the first look at all rows.
  public let comparingMilliseconds: Int
  /// Connections that compared side by side.
  public let workers: Int
  /// One entry a table.
  public let tables: [Table]
  /// Columns whose types are not the same on both sides.
  public let types: [TypeDifference]
  /// What should be known besides.
  public let findings: [Finding]
  /// What it was limited to; nil in the records of versions that did not say.
  public let scope: Scope?
  /// Staging rows that stand refused, and so were not compared; nil in the records of versions that did not say.
  public let standingErrors: Int?

  /// What a verification was limited to.
  public struct Scope: Sendable, Codable, Hashable {
    /// The tables that were named; nil for all.
    public let tables: [String]?
    /// Rows whose version is not before this.
    public let from: String?
    /// Rows whose version is before this.
    public let to: String?
  }

  /// Staging rows compared in a second of wall clock, the second look left out.
  public var rowsPerSecond: Int {
    comparingMilliseconds > 0 ? comparedCount * 1000 / comparingMilliseconds : 0
  }

  /// Staging rows compared, of all tables.
  public var comparedCount: Int { tables.reduce(0) { $0 + $1.counts.comparedCount } }

  /// One table.
  public struct Table: Sendable {
    /// The table's plain name.
    public let table: String
    /// How the merged staging rows stand to production.
    public let counts: RowCheckCounts
    /// The columns that differ in rows of the same version, most rows first.
    public let columns: [ColumnDifference]
    /// Production rows inside the window that staging lacks.
    public let extra: ExtraRows.Outcome
    /// Some differing rows of each kind.
    public let samples: [Sample]
    /// The staging rows that were not compared; nil in the records of versions that did not say.
    public var notCompared: NotCompared?

    /// Whether anything is not as it should be.
    var isDifferent: Bool { counts.differenceCount > 0 || extra.count > 0 }
  }

  /// A column that differs.
  public struct ColumnDifference: Sendable, Codable {
    /// The column's name.
    public let column: String
    /// In how many rows.
    public let rows: Int
    /// Keys of some of them.
    public let sampleKeys: [[String: String?]]

    private enum CodingKeys: String, CodingKey {
      case column, rows
      case sampleKeys = "sample_keys"
    }
  }

  /// What is wrong with a row.
  public typealias DifferenceKind = MergeEngine.DifferenceKind

  /// A row that differs; `old` is production's value, `new` staging's.
  public struct Sample: Sendable, Codable {
    /// What is wrong with it.
    public let kind: DifferenceKind
    /// The key's columns as text.
    public let key: [String: String?]
    /// The columns that differ; none for rows that only one side has.
    public let columns: [PlanReport.ColumnChange]
    /// Why the server can't read the row.
    public let message: String?
  }

  private enum CodingKeys: String, CodingKey {
    case status
    case startedAt = "started_at"
    case finishedAt = "finished_at"
    case elapsedMilliseconds = "elapsed_ms"
    case comparingMilliseconds = "comparing_ms"
    case rowsPerSecond = "rows_per_second"
    case standingErrors = "standing_errors"
    case workers, tables, types, findings, scope
  }

  /// One object.
  public func encode(to encoder: any Encoder) throws {
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(status, forKey: .status)
    try container.encode(startedAt.formatted(style), forKey: .startedAt)
    try container.encode(finishedAt.formatted(style), forKey: .finishedAt)
    try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
    try container.encode(comparingMilliseconds, forKey: .comparingMilliseconds)
    try container.encode(rowsPerSecond, forKey: .rowsPerSecond)
    try container.encode(workers, forKey: .workers)
    try container.encode(tables, forKey: .tables)
    try container.encode(types, forKey: .types)
    try container.encode(findings, forKey: .findings)
    try container.encodeIfPresent(scope, forKey: .scope)
    try container.encodeIfPresent(standingErrors, forKey: .standingErrors)
  }
}

extension VerifyReport {
  /// Reads what ``encode(to:)`` has written.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func date(_ key: CodingKeys) throws -> Date {
      try Date(container.decode(String.self, forKey: key), strategy: .iso8601WithFraction)
    }
    self.init(
      status: try container.decode(Status.self, forKey: .status),
      startedAt: try date(.startedAt),
      finishedAt: try date(.finishedAt),
      elapsedMilliseconds: try container.decode(Int.self, forKey: .elapsedMilliseconds),
      comparingMilliseconds: try container.decode(Int.self, forKey: .comparingMilliseconds),
      workers: try container.decode(Int.self, forKey: .workers),
      tables: try container.decode([Table].self, forKey: .tables),
      types: try container.decode([TypeDifference].self, forKey: .types),
      findings: try container.decode([Finding].self, forKey: .findings),
      scope: try container.decodeIfPresent(Scope.self, forKey: .scope),
      standingErrors: try container.decodeIfPresent(Int.self, forKey: .standingErrors)
    )
  }
}

extension ParseStrategy where Self == Date.ISO8601FormatStyle {
  /// As the reports write their times.
  static var iso8601WithFraction: Self { Date.ISO8601FormatStyle(includingFractionalSeconds: true) }
}

extension VerifyReport.Table: Codable {
  private enum CodingKeys: String, CodingKey {
    case table, columns, extra, samples
    case notCompared = "not_compared"
  }

  /// The counts stand beside the name, not below it.
  public func encode(to encoder: any Encoder) throws {
    try counts.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(table, forKey: .table)
    try container.encode(columns, forKey: .columns)
    try container.encode(extra, forKey: .extra)
    try container.encode(samples, forKey: .samples)
    try container.encodeIfPresent(notCompared, forKey: .notCompared)
  }

  /// Reads what ``encode(to:)`` has written.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      table: try container.decode(String.self, forKey: .table),
      counts: try RowCheckCounts(from: decoder),
      columns: try container.decode([VerifyReport.ColumnDifference].self, forKey: .columns),
      extra: try container.decode(ExtraRows.Outcome.self, forKey: .extra),
      samples: try container.decode([VerifyReport.Sample].self, forKey: .samples),
      notCompared: try container.decodeIfPresent(NotCompared.self, forKey: .notCompared)
    )
  }
}

/// How merged staging rows stand to production.
///
/// Invariant: `read = superseded + equal + productionNewer + missing + deletedSince + outdated + differing + vanished +
/// unreadable`.
public struct RowCheckCounts: Sendable, Codable, Hashable {
  /// Staging rows read.
  public var read = 0
  /// Rows with a newer one of the same key in the same batch, which is compared instead.
  public var superseded = 0
  /// Rows that production has with the same version and the same values.
  public var equal = 0
  /// Rows that production has in a newer version: no difference.
  public var productionNewer = 0
  /// Rows whose key production has not.
  public var missing = 0
  /// Rows that production has in an older version.
  public var outdated = 0
  /// Rows that production has with the same version and other values.
  public var differing = 0
  /// Rows that production had at the first look, and had no more at the second.
  public var deletedSince = 0
  /// Rows that were gone from staging at the second look.
  public var vanished = 0
  /// Rows that the server can't read as production's types.
  public var unreadable = 0

  /// Nothing read.
  public init() {}

  /// Rows that are not as they should be.
  public var differenceCount: Int { missing + outdated + differing + deletedSince }

  /// Rows that were compared with production: each is equal, newer in production, or a difference.
  public var comparedCount: Int { read - superseded - unreadable - vanished }

  private enum CodingKeys: String, CodingKey {
    case read, superseded, equal
    case productionNewer = "production_newer"
    case missing, outdated, differing, vanished, unreadable
    case deletedSince = "deleted_since"
  }

  /// Reads what was recorded, by an earlier version perhaps: a count that it did not have is 0.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func count(_ key: CodingKeys) throws -> Int { try container.decodeIfPresent(Int.self, forKey: key) ?? 0 }
    read = try count(.read)
    superseded = try count(.superseded)
    equal = try count(.equal)
    productionNewer = try count(.productionNewer)
    missing = try count(.missing)
    outdated = try count(.outdated)
    differing = try count(.differing)
    deletedSince = try count(.deletedSince)
    vanished = try count(.vanished)
    unreadable = try count(.unreadable)
  }

  static func += (left: inout Self, right: Self) {
    left.read += right.read
    left.superseded += right.superseded
    left.equal += right.equal
    left.productionNewer += right.productionNewer
    left.missing += right.missing
    left.outdated += right.outdated
    left.differing += right.differing
    left.deletedSince += right.deletedSince
    left.vanished += right.vanished
    left.unreadable += right.unreadable
  }
}
