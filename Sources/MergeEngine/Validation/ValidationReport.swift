import Libpq

/// What DMS's own validation has found, looked at again in production.
package struct ValidationReport: Sendable, Encodable {
  /// A table of DMS's that failures were read from.
  package struct Source: Sendable, Codable {
    /// Its name with its schema.
    package let table: String
    /// The version of its form.
    package let version: Int
  }

  /// The failures of one kind in one table.
  package struct Summary: Sendable, Codable {
    /// Production's table.
    package let table: String
    /// What DMS has found.
    package let kind: ValidationFailure.Kind
    /// All of them; a row that failed several times counts once.
    package internal(set) var failures = 0
    /// Those that stand.
    package internal(set) var standing = 0
    /// Those of rows that were written since.
    package internal(set) var changed = 0
    /// Those that are mended.
    package internal(set) var mended = 0
    /// Those whose keys can't be read.
    package internal(set) var unreadable = 0
  }

  /// Where they were read.
  package internal(set) var sources: [Source] = []
  /// Counts by table and kind.
  package internal(set) var tables: [Summary] = []
  /// The failures, by table and key, without those that were not asked for.
  package internal(set) var failures: [ValidationFailure] = []
  /// Failures of tables that are not production's: of other schemas, or not asked for.
  package internal(set) var otherFailures = 0
  /// What keeps failures from being looked at.
  package internal(set) var findings: [Finding] = []

  private enum CodingKeys: String, CodingKey {
    case sources, tables, failures, findings
    case otherFailures = "other_failures"
  }

  /// How many are not known to be mended.
  package var openCount: Int { tables.reduce(0) { $0 + $1.standing + $1.changed + $1.unreadable } }

  /// The keys of the rows that a reload may mend, by table, in the order of the key's columns.
  package var reloadableKeys: [String: [[String: String]]] {
    failures.reduce(into: [:]) { keys, failure in
      if failure.isReloadable, let key = failure.key { keys[failure.table, default: []].append(key) }
    }
  }

  /// What stands against reloading just the rows that failed; empty if nothing does.
  package var obstacles: [Finding] {
    let unreadable = failures.filter { $0.standing == .unreadable }
    return findings
      + unreadable.prefix(Self.shownObstacleCount).map { failure in
        .blocker(
          failure.table,
          "DMS's text of a key, \(failure.keyText.prefix(Self.shownKeyLength)), can't be read: \(failure.reason ?? "no reason is known"). Reload "
            + "the table's window instead, or leave the table out: --table."
        )
      }
      + (unreadable.count > Self.shownObstacleCount
        ? [.blocker(nil, "\(Numbers.counted(unreadable.count - Self.shownObstacleCount, "more key")) can't be read.")]
        : [])
  }

  /// Arbitrary.
  private static let shownObstacleCount = 10
  private static let shownKeyLength = 80

  mutating func add(_ failure: ValidationFailure) {
    failures.append(failure)
    let isSame = { (summary: Summary) in summary.table == failure.table && summary.kind == failure.kind }
    let index = tables.firstIndex(where: isSame) ?? tables.endIndex
    if index == tables.endIndex { tables.append(Summary(table: failure.table, kind: failure.kind)) }
    tables[index].failures += 1
    switch failure.standing {
    case .stands: tables[index].standing += 1
    case .changed: tables[index].changed += 1
    case .mended: tables[index].mended += 1
    case .unreadable: tables[index].unreadable += 1
    }
  }

  /// The same with only those failures listed; the counts stay.
  package func listing(_ failures: [ValidationFailure]) -> ValidationReport {
    var report = self
    report.failures = failures
    return report
  }
}
