import Foundation
import Libpq
import Logging

/// Compares production with what was merged into it on the nodes: a ``Verification`` on every node, summed by table.
package struct NodesVerification: Sendable {
  private let look: NodesLook
  private let options: VerifyOptions

  /// - Parameters: as ``NodesRun/init(target:stagingTarget:addresses:options:logger:stop:)``.
  /// - Throws: ``MergeFailure/usage(_:)`` for what can't be compared on the nodes, or not be written to one file.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    addresses: NodeAddresses,
    options: VerifyOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) throws {
    look = try NodesLook(
      target: target,
      stagingTarget: stagingTarget,
      addresses: addresses,
      options: options.merge,
      logger: logger,
      stop: stop,
      writes: false
    )
    guard options.outputPath == nil else {
      throw MergeFailure.usage(
        "--output can't be used with --on-nodes: repair knows rows by where they lie, and finds those of nodes nowhere."
      )
    }
    self.options = options
  }

  /// Compares; blocks the calling thread.
  ///
  /// - Throws: as ``Verification/run(onProgress:)``.
  package func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> VerifyReport {
    let clock = ReportClock()
    do {
      let (tables, reports) = try look.run(clock, onProgress) { [look, options] share, logger, onProgress in
        var own = options
        own.merge = share.options
        return try Verification(target: share.target, options: own, logger: logger, stop: look.stop).run(
          onProgress: onProgress
        )
      }
      let report = report(clock, tables, reports)
      if report.status != .aborted {
        VerificationRecord(
          session: Session(target: look.target, stagingTarget: nil, options: options.merge, logger: look.logger)
        ).write(report)
      }
      return report
    } catch MergeFailure.blocked(let findings) {
      return report(.blocked, clock, reports: [], tables: [], findings: findings)
    }
  }

  private func report(
    _ clock: ReportClock,
    _ tables: DistributedTables,
    _ reports: [(share: NodeShare, report: VerifyReport)]
  ) -> VerifyReport {
    let statuses = reports.map(\.report.status)
    let sums = tables.tables.map { sum($0.name, reports) }
    let standingErrors = reports.reduce(0) { $0 + ($1.report.standingErrors ?? 0) }
    let status =
      ([.aborted, .blocked] as [VerifyReport.Status]).first { statuses.contains($0) }
      ?? Verification.status(sums, standingErrors: standingErrors)
    return report(
      status,
      clock,
      reports: reports,
      tables: status == .blocked ? [] : sums,
      findings: tables.warnings + reports.flatMap { $0.report.findings.map($0.share.names.clean) },
      standingErrors: standingErrors
    )
  }

  private func sum(_ name: String, _ reports: [(share: NodeShare, report: VerifyReport)]) -> VerifyReport.Table {
    let shards = reports.flatMap { share, report in report.tables.filter { share.names.table($0.table) == name } }
    var counts = RowCheckCounts()
    var extra = ExtraRows.Outcome()
    var columns: [String: (rows: Int, keys: [[String: String?]])] = [:]
    for shard in shards {
      counts += shard.counts
      extra.windowCount = shard.extra.windowCount.map { (extra.windowCount ?? 0) + $0 } ?? extra.windowCount
      extra.count += shard.extra.count
      extra.sampleKeys += shard.extra.sampleKeys
      extra.note = extra.note ?? shard.extra.note
      for column in shard.columns {
        columns[column.column, default: (0, [])].rows += column.rows
        columns[column.column]?.keys += column.sampleKeys
      }
    }
    extra.sampleKeys = Array(extra.sampleKeys.prefix(options.sampleLimit))
    let notCompared = shards.map(\.notCompared)
    let samples = shards.flatMap(\.samples)
    let kinds = samples.map(\.kind).reduce(into: [VerifyReport.DifferenceKind]()) { kinds, kind in
      if !kinds.contains(kind) { kinds.append(kind) }
    }
    return VerifyReport.Table(
      table: name,
      counts: counts,
      columns: columns.sorted { ($1.value.rows, $0.key) < ($0.value.rows, $1.key) }.map { name, found in
        VerifyReport.ColumnDifference(
          column: name,
          rows: found.rows,
          sampleKeys: Array(found.keys.prefix(options.sampleLimit))
        )
      },
      extra: extra,
      samples: kinds.flatMap { kind in samples.filter { $0.kind == kind }.prefix(options.sampleLimit) },
      notCompared: notCompared.contains(nil)
        ? nil
        : notCompared.compactMap(\.self).reduce(NotCompared(refused: 0, dismissed: 0, unread: 0, outsideWindow: 0), +)
    )
  }

  private func report(
    _ status: VerifyReport.Status,
    _ clock: ReportClock,
    reports: [(share: NodeShare, report: VerifyReport)],
    tables: [VerifyReport.Table],
    findings: [Finding],
    standingErrors: Int = 0
  ) -> VerifyReport {
    var seen: Set<[String]> = []
    return VerifyReport(
      status: status,
      startedAt: clock.startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      comparingMilliseconds: reports.map(\.report.comparingMilliseconds).max() ?? 0,
      workers: reports.reduce(0) { $0 + $1.report.workers },
      tables: tables,
      types: reports.flatMap { share, report in report.types.map { $0.called(share.names.table($0.table)) } }
        .filter { seen.insert([$0.table, $0.column, $0.status]).inserted },
      findings: findings.withoutRepetitions,
      scope: VerifyReport.Scope(tables: options.merge.tables, from: options.merge.from, to: options.merge.to),
      standingErrors: standingErrors
    )
  }
}
