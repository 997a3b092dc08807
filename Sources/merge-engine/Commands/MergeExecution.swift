import Libpq
import MergeEngine

/// Runs a merge with its progress on stderr and its result on stdout.
struct MergeExecution: Sendable {
  let context: CommandContext
  var stagingTarget: ConnectionTarget?
  var snapshot: Snapshot?
  /// How nodes of Citus are reached that merge their own shards; nil for a merge of what the database shows.
  var nodes: NodeAddresses?
  let options: MergeOptions
  let stop: StopSignal

  /// Blocks until the run is closed, and shows its result.
  func run() throws -> RunReport {
    let report = try merge()
    try show(report)
    return report
  }

  /// Blocks until the run is closed.
  func merge() throws -> RunReport {
    var display = ProgressDisplay(context)
    Waiting.show(snapshot == nil ? "preparing" : "checking the snapshot", context)
    defer { LiveArea.shared.end() }
    let result = Result { try carry { display.show($0) } }
    if case .failure(is CancellationError) = result { throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2)) }
    let report = try result.get()
    for failure in report.failures { StandardError.write(failure: [failure], context.logFormat) }
    return report
  }

  private func carry(_ onProgress: (RunProgress) -> Void) throws -> RunReport {
    if let nodes {
      return try NodesRun(
        target: context.target,
        stagingTarget: stagingTarget,
        addresses: nodes,
        options: options,
        logger: context.logger,
        stop: stop
      )
      .run(onProgress: onProgress)
    }
    return try MergeRun(
      target: context.target,
      stagingTarget: stagingTarget,
      snapshot: snapshot,
      options: options,
      logger: context.logger,
      stop: stop
    )
    .run(onProgress: onProgress)
  }

  private func show(_ report: RunReport) throws {
    if context.writesJSON {
      try StandardOutput.write(json: report)
    } else if !context.isQuiet {
      StandardOutput.write(
        RunTable(
          report: report,
          database: context.target.description,
          isReplay: snapshot != nil,
          isAtomic: options.atomic,
          hasWindow: options.from != nil || options.to != nil
        )
        .rendered(StandardOutput.style)
      )
    }
  }

  /// Ends the command with the status that the report stands for.
  ///
  /// - Parameters:
  ///   - isReported: whether the page about the run could be written, if one was wanted.
  ///   - onEnd: who is told how it has ended.
  static func finish(
    _ report: RunReport,
    isReported: Bool = true,
    onEnd: OnEndCommand? = nil,
    _ stop: StopSignal
  ) throws {
    let ofRun = ExitStatus(report.status, stop)
    let status = ofRun == .done && !isReported ? .internalFailure : ofRun
    onEnd?.tell(report, exitStatus: status)
    try status.end()
  }
}
