import DMS
import Testing

/// A validation is relied on only when the service says that every table was compared.
@Suite struct ValidationVerdictTests {
  private static let expected = ExpectedTable(
    sourceSchema: "SHOP",
    sourceTable: "ORDERS",
    targetSchema: "production",
    targetTable: "orders"
  )

  private func verdict(_ state: String?, failed: Int = 0, pending: Int = 0, reason: String = "FULL_LOAD_ONLY_FINISHED")
    -> ValidationVerdict
  {
    var task = ReplicationTask(identifier: "v", arn: "arn:aws:dms:r:1:task:V", status: .stopped)
    task.stopReason = "Stop Reason \(reason)"
    var table = TableStatistics(schemaName: "SHOP", tableName: "ORDERS", tableState: "Table completed")
    table.validationState = state
    table.validationFailedRecords = failed
    table.validationPendingRecords = pending
    return ValidationVerdict.judge(task: task, tables: [table], expected: [Self.expected])
  }

  @Test func `equal tables have neither problems nor mismatches`() {
    #expect(verdict("Validated").problems.isEmpty)
    #expect(verdict("Validated").mismatches.isEmpty)
  }

  @Test func `rows that differ are a result`() {
    let found = verdict("Mismatched records", failed: 3)
    #expect(found.problems.isEmpty)
    #expect(found.mismatches.map(\.rows) == [3])
  }

  @Test(arguments: [
    "Not enabled", "Pending records", "Suspended records", "No primary key", "Table error", "Error",
    "Pending validation",
    "Preparing table", "Pending revalidation", "a word of tomorrow", nil,
  ])
  func `every other state is a problem`(_ state: String?) {
    #expect(verdict(state).problems.map(\.code) == [.notValidated])
  }

  @Test func `rows that were not compared, tables that are not mentioned and tasks that did not finish are problems`() {
    #expect(verdict("Validated", pending: 1).problems.map(\.code) == [.notValidated])
    #expect(verdict("Validated", reason: "NORMAL").problems.map(\.code) == [.otherStopReason])
    let task = ReplicationTask(identifier: "v", arn: "arn:aws:dms:r:1:task:V", status: .failed)
    let nothing = ValidationVerdict.judge(task: task, tables: [], expected: [Self.expected])
    #expect(nothing.problems.map(\.code) == [.notStopped, .otherStopReason, .tableMissing])
  }
}
