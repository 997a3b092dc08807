import Libpq

extension MergePlan {
  /// Has every table looked at: what of its staging is merged, and whose rows are to be read.
  ///
  /// - Returns: where rows will be read a second time.
  mutating func look(through reader: StagingReader, onlyRun: Int? = nil, isToBeMerged: Bool) throws -> [Finding] {
    var findings: [Finding] = []
    for index in tables.indices {
      let look = try reader.look(at: tables[index], onlyRun: onlyRun, isToBeMerged: isToBeMerged)
      read(look.reading, table: index)
      let refusedCount = look.reading.refused.count
      if refusedCount > 0 {
        findings.append(
          .warning(
            .standingRefusals,
            tables[index].name,
            "\(refusedCount.rows) of \(tables[index].staging) \(refusedCount == 1 ? "stands" : "stand") refused by earlier "
              + "runs and \(refusedCount == 1 ? "is" : "are") not read: merge-engine errors list shows why, errors retry has "
              + "\(refusedCount == 1 ? "it" : "them") read again."
          )
        )
      }
      guard look.forgottenRowCount > 0 else { continue }
      findings.append(
        .warning(
          .readAgain,
          tables[index].name,
          "\(look.forgottenRowCount.rows) of \(tables[index].staging) merged earlier can't be told from new ones, "
            + "since the table has been rewritten or restored since: they are read a second time. Rows deleted "
            + "from production since would come back."
        )
      )
    }
    return findings
  }
}
