import Foundation
import Libpq
import Logging

/// Merges staging into production, and everything around it, for programs that embed the engine.
///
/// ```swift
/// let merger = Merger(try ConnectionDescription("postgresql://user@host/shop"))
/// let report = try await merger.merge()
/// print(report.totals.inserted, report.totals.updated, report.totals.errors)
/// ```
/// Each operation opens its own connections and blocks its own threads, none of Swift's cooperative pool. Cancelling the task
/// stops in an orderly way: the running batches are rolled back, the run is closed as ``RunStatus/aborted``, and the same
/// operation continues from there later. If there is a report by then, it is returned; otherwise `CancellationError` is
/// thrown. All failures are ``MergeError``.
public struct Merger: Sendable {
  /// The database that holds production and the admin schema.
  public let database: ConnectionDescription
  private let logger: Logger

  /// - Parameters:
  ///   - database: the one that holds production and the admin schema, and staging too unless a ``RowSource`` says otherwise.
  ///   - logger: gets warnings and, at debug level, retries; by default nothing is logged.
  public init(
    _ database: ConnectionDescription,
    logger: Logger = Logger(label: "merge-engine") { _ in SwiftLogNoOpLogHandler() }
  ) {
    self.database = database
    self.logger = logger
  }

  /// Merges the rows that are not merged yet.
  ///
  /// - Parameters:
  ///   - source: where the rows are.
  ///   - options: what to merge, and how.
  ///   - progress: gets the progress; ends with the merge.
  /// - Returns: what was done, even when tables failed or the task was cancelled: ``RunReport/status`` says which.
  /// - Throws: ``MergeError`` when no run could be started; `CancellationError` when the task was cancelled before one was.
  public func merge(
    from source: RowSource = .besideProduction,
    options: MergeOptions = MergeOptions(),
    progress: ProgressUpdates? = nil
  ) async throws -> RunReport {
    try await Stoppable.run(progress) { stop in
      try options.check()
      return try MergeRun(
        target: database.target,
        stagingTarget: source.target(besides: database.target),
        snapshot: try source.snapshot,
        options: options,
        logger: logger,
        stop: stop
      ).run { progress?.show($0) }
    }
  }

  /// Merges a snapshot's files as ``merge(from:options:progress:)`` merges staging; without any staging table.
  ///
  /// - Parameters:
  ///   - directory: the snapshot's folder. All files are checked before anything is written.
  ///   - startsOver: read the whole snapshot, even if an interrupted replay has merged a part.
  ///   - options: what to merge, and how; marks and cleaning up have no meaning here.
  ///   - progress: gets the progress; ends with the replay.
  /// - Returns: and throws: as ``merge(from:options:progress:)`` does.
  public func replay(
    _ directory: URL,
    startsOver: Bool = false,
    options: MergeOptions = MergeOptions(),
    progress: ProgressUpdates? = nil
  ) async throws -> RunReport {
    var options = options
    options.startsOver = startsOver ? true : nil
    return try await merge(from: .snapshot(directory), options: options, progress: progress)
  }

  /// Says what ``merge(from:options:progress:)`` with the same options and one worker would do; writes nothing.
  ///
  /// - Parameters:
  ///   - source: where the rows are; not a snapshot.
  ///   - options: those of the merge.
  ///   - sampleLimit: rows to show of each verdict.
  ///   - progress: gets the progress; ends with the plan.
  /// - Returns: a report even when something blocks the merge: ``PlanReport/status`` then says so, and the findings say what.
  /// - Throws: ``MergeError``.
  public func plan(
    from source: RowSource = .besideProduction,
    options: MergeOptions = MergeOptions(),
    sampleLimit: Int = 5,
    progress: ProgressUpdates? = nil
  ) async throws -> PlanReport {
    try await Stoppable.run(progress) { stop in
      try options.check()
      try OptionCheck.range(sampleLimit, MergeLimits.samples, "sampleLimit")
      return try DryRun(
        target: database.target,
        stagingTarget: try source.stagingTarget(for: "a plan", besides: database.target),
        options: options,
        sampleLimit: sampleLimit,
        logger: logger,
        stop: stop
      ).run { progress?.show($0) }
    }
  }

  /// Compares types, then every merged row with production, then looks for rows that staging lacks. Writes nothing but its own
  /// record.
  ///
  /// - Parameters:
  ///   - source: where the rows are; not a snapshot.
  ///   - options: what to compare, and how; ``VerifyOptions/outputPath`` writes every difference to a file for
  ///     ``repair(_:from:)``.
  ///   - progress: gets the progress; ends with the verification.
  /// - Returns: a report even when tables can't be compared: ``VerifyReport/status`` then says so.
  /// - Throws: ``MergeError``.
  public func verify(
    from source: RowSource = .besideProduction,
    options: VerifyOptions = VerifyOptions(),
    progress: ProgressUpdates? = nil
  ) async throws -> VerifyReport {
    try await Stoppable.run(progress) { stop in
      try options.check()
      return try Verification(
        target: database.target,
        stagingTarget: try source.stagingTarget(for: "a verification", besides: database.target),
        options: options,
        logger: logger,
        stop: stop
      ).run { progress?.show($0) }
    }
  }

  /// Applies the differences that a verification has written to a file, each only if its row is still the one that was
  /// compared. A repair is a run of its own, and ``rollback(_:from:)`` undoes it.
  ///
  /// - Parameters:
  ///   - options: which file, which kinds of differences, and whether it is only counted.
  ///   - source: where the rows are; not a snapshot.
  /// - Returns: what was done, or would be: ``RepairReport/status`` says whether rows were left alone.
  /// - Throws: ``MergeError``.
  public func repair(_ options: RepairOptions, from source: RowSource = .besideProduction) async throws -> RepairReport
  {
    try await Stoppable.run { stop in
      try options.check()
      return try Repair(
        target: database.target,
        stagingTarget: try source.stagingTarget(for: "a repair", besides: database.target),
        options: options,
        logger: logger,
        stop: stop
      ).run()
    }
  }

  /// Rolls back a run that was merged with ``MergeOptions/beforeImages``. Rows that anyone has changed since are left alone.
  ///
  /// - Parameters:
  ///   - options: which run, and whether it is only counted.
  ///   - source: where the run's rows came from; not a snapshot.
  /// - Returns: what was done, or would be: ``RollbackReport/status`` says whether rows were left alone.
  /// - Throws: ``MergeError``.
  public func rollback(
    _ options: RollbackOptions,
    from source: RowSource = .besideProduction
  ) async throws -> RollbackReport {
    try await Stoppable.run { stop in
      try options.check()
      return try Rollback(
        target: database.target,
        stagingTarget: try source.stagingTarget(for: "a rollback", besides: database.target),
        options: options,
        logger: logger,
        stop: stop
      ).run()
    }
  }

  /// Copies the staging tables into files, all as of one moment.
  ///
  /// - Parameters:
  ///   - directory: empty, or not yet existing; it is a snapshot once it holds `manifest.json`.
  ///   - source: where the rows are; not a snapshot.
  ///   - options: schemas, tables and column rules; the rest has no meaning here.
  /// - Returns: what is in it.
  /// - Throws: ``MergeError``, or `CancellationError`; nothing is left of it then.
  public func snapshot(
    into directory: URL,
    from source: RowSource = .besideProduction,
    options: MergeOptions = MergeOptions()
  ) async throws -> SnapshotManifest {
    try await Stoppable.run { stop in
      try SnapshotSave(
        target: database.target,
        stagingTarget: try source.stagingTarget(for: "a snapshot", besides: database.target),
        options: options,
        logger: logger,
        stop: stop
      ).run(into: directory)
    }
  }

  /// Creates staging tables that match production, and the admin schema with its tables and views. Repeatable: it only adds
  /// what is missing.
  ///
  /// - Returns: one entry per production table.
  /// - Throws: ``MergeError``, or `CancellationError`; no staging table was created then.
  public func initialise(_ options: StagingOptions = StagingOptions()) async throws -> [InitialisedTable] {
    try await Stoppable.run { stop in
      try StagingSetup(target: database.target, options: options, logger: logger, stop: stop)
        .run()
        .map(InitialisedTable.init)
    }
  }

  /// Counts the merged, pending and refused rows of staging, and lists the last runs.
  ///
  /// - Parameters:
  ///   - schemas: where to look.
  ///   - tables: only these; nil for all.
  ///   - runLimit: how many runs at most.
  /// - Throws: ``MergeError``.
  public func status(
    of schemas: Schemas = Schemas(),
    tables: [String]? = nil,
    runLimit: Int = 5
  ) async throws -> MergeStatus {
    try await Stoppable.run { stop in
      try OptionCheck.range(runLimit, MergeLimits.rows, "runLimit")
      return try NodesStatus.read(
        target: database.target,
        addresses: NodeAddresses(),
        schemas: schemas,
        tables: tables,
        runLimit: runLimit,
        logger: logger,
        stop: stop
      )
    }
  }
}
