import Foundation

/// What the merges of the nodes come to, by table.
struct NodesOutcome {
  /// What came of the merge of one node.
  struct OfNode: Sendable {
    let share: NodeShare
    let result: Result<RunReport, any Error>
    /// What it had counted when it last said something.
    let lastCounts: [String: VerdictCounts]

    /// Something was not merged that should have been.
    var isFailed: Bool {
      switch result {
      case .success(let report): report.status == .failed
      case .failure: true
      }
    }
  }

  private(set) var tables: [RunReport.TableReport]
  private(set) var warnings: [String] = []
  /// Which nodes have refused rows, a sentence each.
  private(set) var refusals: [String] = []
  private var failures: [String] = []
  private var findings: [Finding] = []
  private var standingErrors = 0
  private var pending = 0
  private var workers = 0
  private var hasStopped = false

  init(_ tables: DistributedTables) {
    self.tables = tables.tables.map {
      RunReport.TableReport(
        table: $0.name,
        counts: VerdictCounts(),
        elapsedMilliseconds: 0,
        pages: PageCounts(),
        isCold: false
      )
    }
    findings = tables.warnings
  }

  /// Adds a round.
  ///
  /// - Parameter isAgain: whether another round is to do what a node has left; what it said of its failure then counts for nothing.
  mutating func add(_ outcomes: [OfNode], isAgain: (OfNode) -> Bool = { _ in false }) {
    workers = max(workers, outcomes.reduce(0) { $0 + ((try? $1.result.get())?.workers ?? 0) })
    for outcome in outcomes {
      let names = outcome.share.names
      let goesOn = isAgain(outcome)
      switch outcome.result {
      case .success(let report):
        add(report, names)
        findings += report.findings.map(names.clean)
        warnings += report.warnings.map(names.clean).map { "node \(outcome.share.node): \($0)" }
        hasStopped = hasStopped || report.status == .aborted
        let refusedCount = report.totals.errors + report.standingErrors
        if refusedCount > 0 {
          refusals.append(
            "\(refusedCount.rows) \(refusedCount == 1 ? "stands" : "stand") refused on node \(outcome.share.node): "
              + "merge-engine errors list shows why"
          )
        }
        if !goesOn {
          failures += report.failures.map { failure in Self.failure(failure, outcome.share) }
          standingErrors += report.standingErrors
          pending += report.pending
        }
      case .failure(let error):
        for index in tables.indices {
          add(outcome.lastCounts[tables[index].table] ?? VerdictCounts(), to: index, milliseconds: 0)
        }
        hasStopped = hasStopped || error is CancellationError
        if !goesOn, !(error is CancellationError) {
          failures.append("node \(outcome.share.node): \(names.clean(Self.text(error)))")
        }
      }
    }
    findings = findings.withoutRepetitions
  }

  mutating func fail(_ reason: String) { failures.append(reason) }

  private mutating func add(_ report: RunReport, _ names: ShardNames) {
    for index in tables.indices {
      let shards = report.tables.filter { names.table($0.table) == tables[index].table }
      guard !shards.isEmpty else { continue }
      let counts = shards.reduce(into: VerdictCounts()) { $0 += $1.counts }
      // Of shards that were merged side by side nobody knows for how long one of them was under way.
      let milliseconds = min(shards.reduce(0) { $0 + $1.elapsedMilliseconds }, report.elapsedMilliseconds)
      add(
        counts,
        to: index,
        milliseconds: milliseconds,
        pages: shards.reduce(into: PageCounts()) { $0 += $1.pages },
        isCold: shards.contains(where: \.isCold)
      )
    }
  }

  private mutating func add(
    _ counts: VerdictCounts,
    to index: Int,
    milliseconds: Int,
    pages: PageCounts = PageCounts(),
    isCold: Bool = false
  ) {
    let before = tables[index]
    var (sumOfCounts, sumOfPages) = (before.counts, before.pages)
    sumOfCounts += counts
    sumOfPages += pages
    tables[index] = RunReport.TableReport(
      table: before.table,
      counts: sumOfCounts,
      elapsedMilliseconds: max(before.elapsedMilliseconds, milliseconds),
      pages: sumOfPages,
      isCold: before.isCold || isCold
    )
  }

  /// As `orders on node 10.0.0.5:5432: …`.
  private static func failure(_ text: String, _ share: NodeShare) -> String {
    let parts = text.split(separator: ": ", maxSplits: 1)
    guard parts.count == 2, share.names.table(String(parts[0])) != parts[0] else {
      return "node \(share.node): \(text)"
    }
    return "\(share.names.table(String(parts[0]))) on node \(share.node): \(parts[1])"
  }

  static func text(_ error: any Error) -> String {
    switch error as? MergeFailure {
    case .unreachable(let inner): "\(inner)"
    case .blocked(let findings): findings.map(\.message).joined(separator: " ")
    case .busy(let table, _): "another merge holds \(table)"
    case .usage(let message): message
    case .configuration(let mistakes): mistakes.joined(separator: " ")
    case nil: "\(error)"
    }
  }

  func status(isInterrupted: Bool) -> RunStatus {
    if isInterrupted || hasStopped && failures.isEmpty { return .aborted }
    guard failures.isEmpty else { return .failed }
    return standingErrors + tables.reduce(0) { $0 + $1.counts.errors } > 0 ? .partial : .success
  }

  func notes(_ status: RunStatus) -> String {
    switch status {
    case .success: "All staging rows merged, on the nodes."
    case .partial: "Rows were refused. merge-engine errors list shows them."
    case .aborted: "Interrupted. The batches before are committed; run the merge again to continue."
    case .failed, .running, .loading: failures.joined(separator: "\n")
    }
  }

  func report(_ status: RunStatus, runID: Int, _ clock: ReportClock, batchRows: Int) -> RunReport {
    RunReport(
      runID: runID,
      status: status,
      startedAt: clock.startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      workers: workers,
      batchRows: batchRows,
      tables: tables,
      failures: failures,
      warnings: warnings + refusals,
      findings: findings,
      standingErrors: standingErrors,
      pending: pending
    )
  }
}
