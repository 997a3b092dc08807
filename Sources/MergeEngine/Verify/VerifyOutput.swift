import Foundation
import Libpq

/// Where a verification writes its differences, and what of them.
struct VerifyOutput: Sendable {
  let writer: DifferenceWriter
  /// Without values a difference has its key, its versions and the names of its columns.
  let writesValues: Bool

  /// Begins the file.
  ///
  /// - Throws: ``AtomicFile/Failure``, ``PostgresError``.
  init(
    _ file: AtomicFile,
    _ plan: MergePlan,
    _ options: VerifyOptions,
    _ completeness: Completeness,
    _ control: Connection
  ) throws {
    let header = DifferenceFile.Header(
      writtenAt: Date().formatted(Date.ISO8601FormatStyle()),
      database: try .init(control),
      runID: completeness.lastRun?.id,
      timeZone: options.merge.timeZone,
      tables: zip(plan.tables, completeness.windows).map { table, window in
        .init(
          pair: table.pair.name,
          table: table.plainName,
          staging: table.reading.state.source?.contentIdentity ?? "",
          from: window.from,
          to: window.to,
          columns: table.renamedColumns
        )
      }
    )
    writesValues = options.writesValues
    writer = try DifferenceWriter(file, header)
  }
}
