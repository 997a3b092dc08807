import Libpq

/// The statements that read a batch of staging rows, and mark them in the same breath.
///
/// Fused because a mark must speak of exactly the rows that were read: a row that arrives between a read and a
/// separate UPDATE would be marked unseen.
enum ClaimSQL {
  /// `COPY (UPDATE … RETURNING …) TO STDOUT`, or `COPY (SELECT …)` when marks are left alone.
  ///
  /// - Parameter columnCount: how many of the plan's columns are read of each row; nil for all.
  static func copy(_ plan: TablePlan, _ range: TupleRange, columnCount: Int?) -> SQL {
    let status = TablePlanner.statusColumn
    let source: SQL =
      plan.marksRows
      ? """
      UPDATE \(plan.batchSource) AS s SET \(status) = 'PROCESSED'
      WHERE \(range.condition)\(rowCondition(plan))
      RETURNING \(outputs(plan, columnCount: columnCount))
      """
      : """
      SELECT \(outputs(plan, columnCount: columnCount))
      FROM \(plan.batchSource) AS s
      WHERE \(range.condition)\(rowCondition(plan))
      """
    return "COPY (\(source)) TO STDOUT (FORMAT binary)"
  }

  /// Which rows of a range are to be read; begins with AND.
  static func rowCondition(_ plan: TablePlan) -> SQL {
    var condition: SQL = ""
    if plan.hasStatusColumn {
      switch plan.selection {
      case .pending: condition = condition + " AND s.\(TablePlanner.statusColumn) = 'NEW'"
      case .merged: condition = condition + " AND s.\(TablePlanner.statusColumn) = 'PROCESSED'"
      case .all: condition = condition + " AND s.\(TablePlanner.statusColumn) IS DISTINCT FROM 'ERROR'"
      }
    }
    let version = plan.version
    if let from = plan.window.from {
      condition = condition + " AND \(version.readExpression) >= \(Literal(from))::\(version.baseType.fullName)"
    }
    if let to = plan.window.to {
      condition = condition + " AND \(version.readExpression) < \(Literal(to))::\(version.baseType.fullName)"
    }
    return condition
  }

  /// Whole rows by their addresses, which come back in the order of the addresses.
  static func copyRows(_ plan: TablePlan, at addresses: [UInt64]) -> SQL {
    let columns = plan.columns.map(\.readExpression).joined(", ")
    return """
      COPY (SELECT s.ctid, \(columns) FROM \(plan.batchSource) AS s
            WHERE \(SQL.rows(at: addresses))) TO STDOUT (FORMAT binary)
      """
  }

  /// The wire order drawn at ``TablePlan``.
  static func outputs(_ plan: TablePlan, columnCount: Int? = nil) -> SQL {
    let probeKeys: [SQL] =
      plan.sendsProbeKeys
      ? plan.keyColumns.map { $0.probesAsText ? "(\($0.readExpression))::text" : $0.readExpression } : []
    let columns = plan.columns.prefix(columnCount ?? plan.columns.count).map(\.readExpression)
    return (["s.ctid"] + probeKeys + columns).joined(", ")
  }
}
