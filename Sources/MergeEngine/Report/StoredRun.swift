import Foundation

/// All that the admin tables know about one run: what a report is made of.
public struct StoredRun: Sendable {
  /// The run's id in `merge_summary`.
  public let id: Int
  /// How it ended, in the words of `merge_summary`: ``RunStatus``, or what a later command made of it.
  public let status: String
  /// When it began.
  public let startedAt: Date?
  /// When it ended; nil while it goes on.
  public let finishedAt: Date?
  /// What was noted at its end.
  public let notes: String?
  /// The version of merge-engine that merged.
  public let engineVersion: String?
  /// What it was asked to do, a line each: `schemas.staging`, `staging`.
  public let parameters: [Parameter]
  /// What was found before the run and came up during it; nil for runs of versions that did not keep it.
  public let warnings: [Finding]?
  /// One entry a table, parents first.
  public let tables: [Table]
  /// When which worker merged how much; nil for runs of versions that did not record it.
  public let throughput: RunThroughput?
  /// The rows that the server refused, by reason; the reasons with most rows.
  public let refusals: [RefusalGroup]
  /// How many reasons there are in all.
  public let refusalReasonCount: Int
  /// Verifications of its rows: the newest one of all tables, and the newest one of all, if that came later and looked at
  /// less.
  public let verifications: [Verification]
  /// Where the run was.
  public let place: Place
  /// When all this was read.
  public let readAt: Date

  /// An option of the run.
  public struct Parameter: Sendable, Hashable {
    /// Its name in the record; a dot leads into an object.
    public let name: String
    /// Its value as text; nil when it was not given.
    public let value: String?
  }

  /// What the run did to one table.
  public struct Table: Sendable {
    /// The table's plain name.
    public let table: String
    /// What its batches have committed.
    public let counts: VerdictCounts
    /// Wall clock from its first batch to its last; 0 if the run was not closed in order.
    public let elapsedMilliseconds: Int
  }

  /// A verification as it was recorded.
  public struct Verification: Sendable {
    /// When it was recorded.
    public let verifiedAt: Date?
    /// What it found.
    public let report: VerifyReport

    /// The tables that were not compared, though the run had merged into them.
    public func omitted(of tables: [Table]) -> [String] {
      let compared = Set(report.tables.map(\.table))
      return tables.map(\.table).filter { !compared.contains($0) }
    }

    /// Whether all rows of the run's tables were compared.
    func isWhole(_ tables: [Table]) -> Bool {
      omitted(of: tables).isEmpty && report.scope?.from == nil && report.scope?.to == nil
    }
  }

  /// The database that holds the record.
  public struct Place: Sendable {
    /// The database's name.
    public let database: String
    /// Where the server was reached, as `db.example:5432`; nil where libpq's environment said it.
    public let host: String?
    /// The server's version, as `15.8`.
    public let serverVersion: String
    /// The admin schema.
    public let adminSchema: String
  }

  /// The sum of all tables.
  public var totals: VerdictCounts { tables.reduce(into: VerdictCounts()) { $0 += $1.counts } }

  /// Wall clock of the run, up to now if it still goes on.
  public var elapsedSeconds: Double? { startedAt.map { (finishedAt ?? readAt).timeIntervalSince($0) } }

  /// Whether it still goes on, so that everything here is as of ``readAt``.
  public var isUnderWay: Bool {
    [RunStatus.running.rawValue, RunStatus.loading.rawValue, RollbackRecord.Status.running.rawValue].contains(status)
  }

  /// The value of a parameter that was given.
  public func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}
