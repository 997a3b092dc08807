import Foundation
import Libpq
import Logging

/// Says what a merge on the nodes would do: a ``DryRun`` on every node, summed by table.
package struct NodesDryRun: Sendable {
  private let look: NodesLook
  private let sampleLimit: Int

  /// - Parameters: as ``NodesRun/init(target:stagingTarget:addresses:options:logger:stop:)``, and how many rows to show of each
  ///   verdict.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    addresses: NodeAddresses,
    options: MergeOptions,
    sampleLimit: Int,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) throws {
    look = try NodesLook(
      target: target,
      stagingTarget: stagingTarget,
      addresses: addresses,
      options: options,
      logger: logger,
      stop: stop,
      writes: true
    )
    self.sampleLimit = sampleLimit
  }

  /// Looks; blocks the calling thread.
  ///
  /// - Throws: as ``DryRun/run(onProgress:)``.
  package func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> PlanReport {
    let clock = ReportClock()
    do {
      let (tables, reports) = try look.run(clock, onProgress) { [look, sampleLimit] share, logger, onProgress in
        try DryRun(
          target: share.target,
          options: share.options,
          sampleLimit: sampleLimit,
          logger: logger,
          stop: look.stop
        ).run(onProgress: onProgress)
      }
      return report(clock, tables, reports)
    } catch MergeFailure.blocked(let findings) {
      return report(.blocked, clock, workers: 0, tables: [], findings: findings, standingErrors: 0)
    }
  }

  private func report(
    _ clock: ReportClock,
    _ tables: DistributedTables,
    _ reports: [(share: NodeShare, report: PlanReport)]
  ) -> PlanReport {
    let statuses = reports.map(\.report.status)
    let status: PlanReport.Status =
      [.aborted, .blocked, .partial].first { statuses.contains($0) } ?? .success
    return report(
      status,
      clock,
      workers: reports.reduce(0) { $0 + $1.report.workers },
      tables: status == .blocked ? [] : tables.tables.map { sum($0.name, reports) },
      findings: tables.warnings + reports.flatMap { $0.report.findings.map($0.share.names.clean) },
      standingErrors: reports.reduce(0) { $0 + $1.report.standingErrors }
    )
  }

  private func sum(_ name: String, _ reports: [(share: NodeShare, report: PlanReport)]) -> PlanReport.Table {
    var (counts, ties, milliseconds, pages, isCold) = (VerdictCounts(), 0, 0, PageCounts(), false)
    var estimate = MergeEstimate()
    var samples: [PlanReport.Sample] = []
    for (share, report) in reports {
      var ofNode = MergeEstimate()
      for shard in report.tables where share.names.table(shard.table) == name {
        counts += shard.counts
        ties += shard.differingTieCount
        milliseconds += shard.elapsedMilliseconds
        pages += shard.pages
        isCold = isCold || shard.isCold
        ofNode += shard.estimate
        for sample in shard.samples where samples.count(where: { $0.verdict == sample.verdict }) < sampleLimit {
          samples.append(sample)
        }
      }
      estimate.addAside(ofNode)
    }
    let order = PlanReport.SampleKind.allCases
    return PlanReport.Table(
      table: name,
      counts: counts,
      differingTieCount: ties,
      elapsedMilliseconds: milliseconds,
      pages: pages,
      isCold: isCold,
      estimate: estimate,
      samples: order.flatMap { kind in samples.filter { $0.verdict == kind } }
    )
  }

  private func report(
    _ status: PlanReport.Status,
    _ clock: ReportClock,
    workers: Int,
    tables: [PlanReport.Table],
    findings: [Finding],
    standingErrors: Int
  ) -> PlanReport {
    let findings = findings.withoutRepetitions
    return PlanReport(
      status: status,
      startedAt: clock.startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      workers: workers,
      batchRows: look.options.batchRows,
      tables: tables,
      findings: findings.filter { $0.grade == .blocker } + findings.filter { $0.grade == .warning },
      standingErrors: standingErrors
    )
  }
}
