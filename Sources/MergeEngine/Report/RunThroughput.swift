import Foundation
import Libpq

/// When the workers of a run merged how many rows, from `merge_batches`.
package struct RunThroughput: Sendable {
  /// Batches of one worker and one table that ended at about the same time; mostly one.
  struct Stretch: Sendable {
    let worker: Int
    let table: String
    /// Since the run's first batch began.
    let startSeconds: Double
    let endSeconds: Double
    let rowCount: Int
  }

  /// A rate over time.
  package struct Series: Sendable {
    /// Whose it is: `worker 2`, or a table's name.
    package let name: String
    /// Rows read, all in all.
    package let rowCount: Int
    /// Rows a second, one value for each interval of ``RunThroughput/intervalSeconds``.
    package let rowsPerSecond: [Double]
  }

  /// How long an interval is.
  package let intervalSeconds: Double
  /// Everybody together.
  package let total: Series
  /// One a worker.
  package let workers: [Series]
  /// One a table, in the order in which they were begun.
  package let tables: [Series]

  /// Intervals at most. Arbitrary: as many as a page is wide enough to show apart.
  static let intervalLimit = 60

  init?(_ stretches: [Stretch]) {
    guard let end = stretches.map(\.endSeconds).max() else { return nil }
    let seconds = Self.roundInterval(end / Double(Self.intervalLimit))
    let count = max(Int((end / seconds).rounded(.up)), 1)
    func series(_ name: String, _ stretches: [Stretch]) -> Series {
      Series(
        name: name,
        rowCount: stretches.reduce(0) { $0 + $1.rowCount },
        rowsPerSecond: Self.rates(stretches, seconds, count: count)
      )
    }
    intervalSeconds = seconds
    total = series("all workers", stretches)
    workers = Set(stretches.map(\.worker)).sorted().map { worker in
      series("worker \(worker)", stretches.filter { $0.worker == worker })
    }
    let begun = Dictionary(grouping: stretches, by: \.table)
      .mapValues { (start: $0.map(\.startSeconds).min() ?? 0, stretches: $0) }
    tables = begun.sorted { ($0.value.start, $0.key) < ($1.value.start, $1.key) }.map {
      series($0.key, $0.value.stretches)
    }
  }

  /// The next of 1, 2 and 5 times a power of ten. An interval of less than a millisecond would say nothing.
  private static func roundInterval(_ seconds: Double) -> Double {
    let least = max(seconds, 0.001)
    let power = pow(10, floor(log10(least)))
    return [1, 2, 5, 10].map { $0 * power }.first { $0 >= least } ?? least
  }

  /// Rows of a stretch are spread evenly over its time, since nobody knows when in a batch a row was merged.
  private static func rates(_ stretches: [Stretch], _ seconds: Double, count: Int) -> [Double] {
    var rates = [Double](repeating: 0, count: count)
    for stretch in stretches {
      // A batch that took no measurable time still has its rows.
      let start = min(stretch.startSeconds, stretch.endSeconds - 0.000_001)
      let rowsPerSecond = Double(stretch.rowCount) / (stretch.endSeconds - start)
      let first = min(max(Int(start / seconds), 0), count - 1)
      let last = min(max(Int(stretch.endSeconds / seconds), first), count - 1)
      for index in first...last {
        // The outermost intervals take what lies beyond them, so that no row is lost to rounding.
        let lower = index == first ? start : Double(index) * seconds
        let upper = index == last ? stretch.endSeconds : Double(index + 1) * seconds
        rates[index] += max(upper - lower, 0) * rowsPerSecond / seconds
      }
    }
    return rates
  }

  /// - Returns: nil without a recorded batch.
  static func read(_ run: Int, _ admin: Identifier, _ connection: Connection) throws(PostgresError) -> RunThroughput? {
    // A run of a million tiny batches must not become a million rows here: what one worker ended within the same
    // 600th of the run comes as one.
    let rows = try connection.query(
      """
      WITH batches AS (
        -- With its schema in a run of several pairs; batches of an earlier version have none.
        SELECT worker, records_read,
               CASE WHEN (SELECT count(DISTINCT to_jsonb(o) ->> 'production_schema') FROM \(admin).merge_logs AS o
                          WHERE o.run_id = $1) > 1 AND to_jsonb(b) ->> 'production_schema' <> ''
                    THEN concat(to_jsonb(b) ->> 'production_schema', '.', b.table_name) ELSE b.table_name END AS table_name,
               extract(epoch FROM started_at - min(started_at) OVER ())::float8 AS started,
               extract(epoch FROM finished_at - min(started_at) OVER ())::float8 AS finished,
               extract(epoch FROM max(finished_at) OVER () - min(started_at) OVER ())::float8 AS duration
        FROM \(admin).merge_batches AS b
        WHERE run_id = $1 AND started_at IS NOT NULL AND finished_at IS NOT NULL
      )
      SELECT coalesce(worker, 0)::bigint, coalesce(table_name, ''), min(started), max(finished), sum(records_read)::bigint
      FROM batches
      GROUP BY worker, table_name, floor(finished * 600 / greatest(duration, 0.001))
      ORDER BY 3
      """,
      [.bigint(run)],
      "reading the batches of run \(run)"
    )
    return RunThroughput(
      (0..<rows.count).map { row in
        Stretch(
          worker: rows.integer(row, 0) ?? 0,
          table: rows.text(row, 1) ?? "",
          startSeconds: rows.double(row, 2) ?? 0,
          endSeconds: rows.double(row, 3) ?? 0,
          rowCount: rows.integer(row, 4) ?? 0
        )
      }
    )
  }
}
