import Libpq

/// Reads the rows to show of a table's differences as text.
struct DifferenceReader {
  let plan: TablePlan
  let production: Connection
  let staging: Connection

  func table(_ outcome: RowCheckOutcome, _ extra: ExtraRows.Outcome) throws -> VerifyReport.Table {
    let reader = SampleReader(plan: plan, production: production, staging: staging)
    let shown = try outcome.samples.compactMap { sample in
      try reader.read([sample.kind.sampleKind: [.init(address: sample.address, refusal: sample.refusal)]]).first.map {
        (sample, $0)
      }
    }
    let samples = shown.map { sample, text in
      VerifyReport.Sample(
        kind: sample.kind,
        key: text.key,
        columns: [.missing, .deletedSince].contains(sample.kind) ? [] : text.columns,
        message: text.message
      )
    }
    let columns = outcome.columnCounts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { column, count in
      VerifyReport.ColumnDifference(
        column: plan.columns[column].name.name,
        rows: count,
        sampleKeys: shown.filter { $0.0.columns.contains(column) }.map(\.1.key)
      )
    }
    return VerifyReport.Table(
      table: plan.name,
      counts: outcome.counts,
      columns: columns,
      extra: extra,
      samples: samples
        + extra.sampleKeys.map { VerifyReport.Sample(kind: .extra, key: $0, columns: [], message: nil) },
      notCompared: try NotCompared.count(plan, readCount: outcome.counts.read, staging)
    )
  }
}

extension DifferenceKind {
  /// The sample that is read in the same way.
  fileprivate var sampleKind: PlanReport.SampleKind {
    switch self {
    case .missing, .deletedSince, .extra: .insert
    case .outdated: .update
    case .differing: .tie
    case .unreadable: .error
    }
  }
}
