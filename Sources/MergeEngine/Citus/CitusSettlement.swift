import Foundation
import Libpq

/// Waits until nodes have committed what was committed on the coordinator.
///
/// A transaction over several nodes is prepared on each before the coordinator commits it. A node that is lost in between has the rows
/// on disk, and nobody sees them, until Citus commits them there too: once in `citus.recover_2pc_interval`, or when it is asked.
/// <https://docs.citusdata.com/en/stable/develop/api_guc.html>
struct CitusSettlement {
  let coordinator: Connection
  let stop: StopSignal

  /// Beyond two of Citus's own intervals; arbitrary.
  private static let graceSeconds = 5.0
  /// However long the interval is: a person should look then. Arbitrary.
  private static let limitSeconds = 150.0

  /// - Returns: what is not settled by then, as a finding of the run.
  func settle() throws(PostgresError) -> [Finding] {
    guard var open = try unsettled() else {
      return [
        .warning(
          .runEnd,
          nil,
          "Citus's nodes can't be asked whether they have committed what this run has: pg_catalog.run_command_on_workers is refused. After the "
            + "crash of a node rows that count as merged may show a minute later."
        )
      ]
    }
    guard !open.isEmpty else { return [] }
    let intervalSeconds =
      try coordinator.query(
        "SELECT extract(epoch FROM current_setting('citus.recover_2pc_interval')::interval)::float8",
        "reading how often Citus settles transactions"
      )
      .double(0, 0) ?? 0
    let deadline =
      ContinuousClock.now + .seconds(min(2 * max(intervalSeconds, 0) + Self.graceSeconds, Self.limitSeconds))
    while !open.isEmpty, stop.signal == nil, .now < deadline {
      // Whoever may not ask waits for Citus to look by itself.
      _ = try Savepoint.answer(on: coordinator) { () throws(PostgresError) in
        try coordinator.query(
          "SELECT pg_catalog.recover_prepared_transactions() WHERE has_function_privilege('pg_catalog.recover_prepared_transactions()', 'EXECUTE')",
          "having Citus settle transactions"
        )
      }
      open.formIntersection(try unsettled() ?? [])
      if !open.isEmpty { stop.sleep(seconds: 0.2) }
    }
    guard !open.isEmpty else { return [] }
    return [
      .warning(
        .runEnd,
        nil,
        "\(open.count) of what this run may have committed \(open.count == 1 ? "is" : "are") not yet committed on Citus's nodes "
          + "(\(open.sorted().prefix(3).joined(separator: ", "))). Rows that count as merged show when Citus has settled that: see that all "
          + "nodes answer, and run SELECT pg_catalog.recover_prepared_transactions() as a superuser, before production is read or verified."
      )
    ]
  }

  /// Prepared transactions of Citus on the nodes, by name, and nodes that don't answer; nil where that is nobody's business.
  private func unsettled() throws(PostgresError) -> Set<String>? {
    let answer = try Savepoint.answer(on: coordinator) { () throws(PostgresError) in
      try coordinator.query(
        "SELECT nodename || ':' || nodeport, success, result FROM pg_catalog.run_command_on_workers($1)",
        [.text(Self.prepared)],
        "asking Citus's nodes for prepared transactions"
      )
    }
    guard let rows = answer else { return nil }
    return Set(
      (0..<rows.count).flatMap { row -> [String] in
        let node = rows.text(row, 0) ?? ""
        guard rows.bool(row, 1) == true else { return ["node \(node)"] }
        return (rows.text(row, 2) ?? "").split(separator: "\n").map { "\($0) on \(node)" }
      }
    )
  }

  private static let prepared = """
    SELECT coalesce(pg_catalog.string_agg(gid, E'\\n'), '') FROM pg_catalog.pg_prepared_xacts
    WHERE database OPERATOR(pg_catalog.=) pg_catalog.current_database() AND pg_catalog.starts_with(gid, 'citus_')
    """
}
