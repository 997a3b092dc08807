import Foundation

/// All that the admin tables know about one run: what a report is made of.
package struct StoredRun: Sendable {
  /// The run's id in `merge_summary`.
  package let id: Int
  /// How it ended, in the words of `merge_summary`: ``RunStatus``, or what a later command made of it.
  package let status: String
  /// When it began.
  package let startedAt: Date?
  /// When it ended; nil while it goes on.
  package let finishedAt: Date?
  /// What was noted at its end.
  package let notes: String?
  /// The version of merge-engine that merged.
  package let engineVersion: String?
  /// What it was asked to do, a line each: `schemas.staging`, `staging`.
  package let parameters: [Parameter]
  /// What was found before the run and came up during it; nil for runs of versions that did not keep it.
  package let warnings: [Finding]?
  /// One entry a table, parents first.
  package let tables: [Table]
  /// When which worker merged how much; nil for runs of versions that did not record it.
  package let throughput: RunThroughput?
  /// The rows that the server refused, by reason; the reasons with most rows.
  package let refusals: [RefusalGroup]
  /// How many reasons there are in all.
  package let refusalReasonCount: Int
  /// Refused rows of the run's tables that stand at ``readAt``, whichever run refused them.
  package let standingRefusalCount: Int
  /// Verifications of its rows: the newest one of all tables, and the newest one of all, if that came later and looked at
  /// less.
  package let verifications: [Verification]
  /// Where the run was.
  package let place: Place
  /// When all this was read.
  package let readAt: Date

  /// An option of the run.
  package struct Parameter: Sendable, Hashable {
    /// Its name in the record; a dot leads into an object.
    package let name: String
    /// Its value as text; nil when it was not given.
    package let value: String?
  }

  /// What the run did to one table.
  package struct Table: Sendable {
    /// The table's plain name.
    package let table: String
    /// What its batches have committed.
    package let counts: VerdictCounts
    /// Wall clock from its first batch to its last; 0 if the run was not closed in order.
    package let elapsedMilliseconds: Int
  }

  /// A verification as it was recorded.
  package struct Verification: Sendable {
    /// When it was recorded.
    package let verifiedAt: Date?
    /// What it found.
    package let report: VerifyReport

    /// The tables that were not compared, though the run had merged into them.
    package func omitted(of tables: [Table]) -> [String] {
      let compared = Set(report.tables.map(\.table))
      return tables.map(\.table).filter { !compared.contains($0) }
    }

    /// Whether all rows of the run's tables were compared.
    func isWhole(_ tables: [Table]) -> Bool {
      omitted(of: tables).isEmpty && report.scope?.from == nil && report.scope?.to == nil
    }
  }

  /// The database that holds the record.
  package struct Place: Sendable {
    /// The database's name.
    package let database: String
    /// Where the server was reached, as `db.example:5432`; nil where libpq's environment said it.
    package let host: String?
    /// The server's version, as `15.8`.
    package let serverVersion: String
    /// The admin schema.
    package let adminSchema: String
  }

  /// The sum of all tables.
  package var totals: VerdictCounts { tables.reduce(into: VerdictCounts()) { $0 += $1.counts } }

  /// Wall clock of the run, up to now if it still goes on.
  package var elapsedSeconds: Double? { startedAt.map { (finishedAt ?? readAt).timeIntervalSince($0) } }

  /// Whether it still goes on, so that everything here is as of ``readAt``.
  package var isUnderWay: Bool {
    [RunStatus.running.rawValue, RunStatus.loading.rawValue, RollbackRecord.Status.running.rawValue].contains(status)
  }

  /// The value of a parameter that was given.
  package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}
