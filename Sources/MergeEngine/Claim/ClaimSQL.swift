import Libpq

/// The statements that read a batch of staging rows.
enum ClaimSQL {
  /// `COPY (SELECT …) TO STDOUT`, in the order of the addresses.
  ///
  /// - Parameters:
  ///   - columnCount: how many of the plan's columns are read of each row; nil for all.
  ///   - rowLimit: the first rows of the range that are read; nil for all.
  static func copy(_ plan: TablePlan, _ place: StagedPlace, columnCount: Int?, rowLimit: Int? = nil) -> SQL {
    let limit: SQL = rowLimit.map { " LIMIT \($0)" } ?? ""
    // Of one database the batch's last statement asks, with a younger snapshot.
    let isAsPlanned: SQL =
      plan.reading.isSplit && plan.reading.snapshot == nil
      ? " AND \(PlannedShape.require(PlannedShape(plan).ofStaging))" : ""
    return """
      COPY (SELECT \(outputs(plan, columnCount: columnCount)) FROM \(plan.batchSource) AS s
            WHERE \(isWanted(plan, at: place))\(isAsPlanned)\(limit)) TO STDOUT (FORMAT binary)
      """
  }

  /// Which rows of a place are to be read.
  static func isWanted(_ plan: TablePlan, at place: StagedPlace) -> SQL {
    switch place {
    case .range(let range): isWanted(plan, in: range)
    case .rows(let rows): "\(SQL.rows(at: rows)) AND \(isWanted(plan, in: .everything))"
    }
  }

  /// Which rows of a range are to be read.
  static func isWanted(_ plan: TablePlan, in range: TupleRange) -> SQL {
    guard plan.reading.snapshot == nil else { return "\(range.condition)\(windowCondition(plan))" }
    let state = plan.reading.state
    let isUnread = state.coverage.isUnread(in: range, version: plan.stagedVersion)
    var condition: SQL
    switch plan.reading.selection {
    case .pending: condition = isUnread
    case .merged: condition = "\(range.condition) AND (\(isUnread)) IS NOT TRUE"
    case .all: condition = range.condition
    }
    if plan.reading.selection != .pending {
      let refused = (state.refused + state.dismissed).filter(range.contains)
      if !refused.isEmpty { condition = "\(condition) AND s.ctid <> ALL (\(TupleAddress.list(refused)))" }
    }
    if let horizon = state.horizon { condition = "\(condition) AND \(horizon.hasSeen())" }
    return condition + windowCondition(plan)
  }

  /// The rows of the table that are to be read, in the order of their keys: address and key columns. Those that
  /// lie in no ``KeyRange`` are left out.
  static func inKeyOrder(_ plan: TablePlan, _ form: KeyRange.Form) -> SQL {
    let keys = plan.keyColumns.map { "s.\($0.name)" as SQL }
    return """
      SELECT s.ctid, \(keys.map(form.read).joined(", "))
      FROM \(plan.batchSource) AS s
      WHERE \(isWanted(plan, in: .everything)) AND \(form.hasPlace(keys))
      ORDER BY \(keys.map(form.ordered).joined(", "))
      """
  }

  /// Which rows of the table are to be read; begins with AND.
  static func rowCondition(_ plan: TablePlan) -> SQL { " AND \(isWanted(plan, in: .everything))" }

  /// Which rows lie in the window; begins with AND, or is empty.
  static func windowCondition(_ plan: TablePlan) -> SQL {
    plan.reading.window.isUnbounded ? "" : " AND \(plan.reading.window.condition(on: plan.stagedVersion))"
  }

  /// The wire order drawn at ``TablePlan``.
  static func outputs(_ plan: TablePlan, columnCount: Int? = nil) -> SQL {
    let probeKeys: [SQL] =
      plan.sendsProbeKeys
      ? plan.keyColumns.map { $0.probesAsText ? "(\($0.claimExpression))::text" : $0.claimExpression } : []
    let columns = plan.columns.prefix(columnCount ?? plan.columns.count).map(\.claimExpression)
    return (["s.ctid"] + probeKeys + columns).joined(", ")
  }
}
