import Libpq

extension MergePlan {
  /// Has every table looked at: what of its staging is merged, and whose rows are to be read.
  ///
  /// - Parameter isFirst: no run has begun to read it; of a later look only what has become of staging meanwhile is told.
  /// - Returns: where rows will be read a second time, stand refused, or are gone from production.
  mutating func look(
    through reader: StagingReader,
    onlyRun: Int? = nil,
    isToBeMerged: Bool,
    isFirst: Bool = true
  ) throws -> [Finding] {
    var findings: [Finding] = []
    for index in tables.indices {
      let look = try reader.look(at: tables[index], onlyRun: onlyRun, isToBeMerged: isToBeMerged)
      read(look.state, table: index)
      guard isFirst else {
        findings += [.forgotten, .rewritten].compactMap { look.finding($0, of: tables[index]) }
        continue
      }
      let refusedCount = look.state.refused.count
      if refusedCount > 0 {
        findings.append(
          .warning(
            .standingRefusals,
            tables[index].name,
            "\(refusedCount.rows) of \(tables[index].staging) \(refusedCount == 1 ? "was" : "were") refused earlier: merge-engine "
              + "errors list shows why. Only rows that lack a parent or wait for a unique value are tried again without "
              + "merge-engine errors retry."
          )
        )
      }
      findings += look.absence.findings(of: tables[index])
      if try reader.hasLostAll(tables[index], look) {
        findings.append(
          .warning(
            .productionEmpty,
            tables[index].name,
            "\(tables[index].production) is empty, though rows of \(tables[index].staging) have been merged into it: TRUNCATE, a restored "
              + "backup, or a crash with an unlogged table has taken them away. They are not read again unless --again asks for it."
          )
        )
      }
      var judged = look
      judged.rereadings[.readOtherwise] = try reader.otherwiseReadCount(of: tables[index], look)
      findings += StagingReader.Rereading.allCases.compactMap { judged.finding($0, of: tables[index]) }
    }
    return findings
  }
}

extension StagingAdoption.Absence {
  /// That rows count as merged by their marks alone.
  fileprivate func findings(of table: TablePlan) -> [Finding] {
    func finding(_ count: Int, _ rest: String) -> [Finding] {
      guard count > 0 else { return [] }
      return [
        .warning(
          .statusColumn,
          table.name,
          "\(count.rows) of \(table.staging) \(count == 1 ? "is" : "are") marked PROCESSED, and no run on record here has read "
            + "\(count == 1 ? "it" : "them"): an earlier version or another ledger has. \(rest)"
        )
      ]
    }
    return finding(
      unfoundCount,
      "\(table.production) does not hold them, or holds them older: --again reads them."
    )
      + finding(
        uncomparedCount,
        "Whether \(table.production) holds them can't be asked from here (staging is in another database, or a key can't be read): verify "
          + "compares them, and --again reads them."
      )
  }
}

extension StagingReader.Look {
  /// That rows are read a second time; nil where none is for this reason.
  fileprivate func finding(_ reason: StagingReader.Rereading, of table: TablePlan) -> Finding? {
    guard let count = rereadings[reason], count > 0 else { return nil }
    return .warning(
      .readAgain,
      table.name,
      "\(reason.words(count, of: table.staging)) Rows deleted from production since would come back."
    )
  }
}

extension StagingReader.Rereading {
  fileprivate func words(_ count: Int, of staging: QualifiedName) -> String {
    let areRead = count == 1 ? "it is read a second time" : "they are read a second time"
    switch self {
    case .forgotten:
      return
        "\(count.rows) of \(staging) merged earlier can't be told apart from new ones, since the table has been rewritten or "
        + "restored since, or was merged with another --staging-database: \(areRead)."
    case .rewritten:
      return
        "\(count.rows) of \(staging) \(count == 1 ? "was" : "were") written by the statement that rewrote the table "
        + "since it was merged (ALTER TABLE, or TRUNCATE and a load in one transaction), and can't be told apart from those "
        + "merged then: \(areRead)."
    case .readOtherwise:
      return
        "\(count.rows) of \(staging) \(count == 1 ? "was" : "were") merged by other rules than are set now (version column or its type, time "
        + "zone, DateStyle, search_path, key): \(areRead)."
    case .asked:
      return "\(count.rows) of \(staging) \(count == 1 ? "is" : "are") merged already, and --again reads "
        + "\(count == 1 ? "it" : "them") a second time."
    }
  }
}
