import Libpq

/// The statement that reads a batch of staging rows, and marks them in the same breath.
///
/// Fused because a mark must speak of exactly the rows that were read: a row that arrives between a read and a
/// separate UPDATE would be marked unseen.
enum ClaimSQL {
  /// `COPY (UPDATE … RETURNING …) TO STDOUT`, or `COPY (SELECT …)` when marks are left alone.
  static func copy(_ plan: TablePlan, _ range: TupleRange) -> SQL {
    let status = TablePlanner.statusColumn
    let source: SQL =
      plan.marksRows
      ? """
      UPDATE \(plan.batchSource) AS s SET \(status) = 'PROCESSED'
      WHERE \(range.condition)\(rowCondition(plan))
      RETURNING \(outputs(plan))
      """
      : """
      SELECT \(outputs(plan))
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

  /// The wire order drawn at ``TablePlan``.
  static func outputs(_ plan: TablePlan) -> SQL {
    let probeKeys: [SQL] =
      plan.sendsProbeKeys
      ? plan.keyColumns.map { $0.probesAsText ? "(\($0.readExpression))::text" : $0.readExpression } : []
    return (["s.ctid"] + probeKeys + plan.columns.map(\.readExpression)).joined(", ")
  }
}
