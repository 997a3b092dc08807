import Spelling

/// Whether a validation-only task has compared everything that it should have, and what it found. Values in, verdict out.
///
/// That rows differ is a finding, and not a fault of the validation: ``mismatches`` has them. Whatever was not compared is a
/// problem, as is whatever the service does not say.
public struct ValidationVerdict: Hashable, Sendable {
  /// Rows that differ in a table.
  public struct Mismatch: Hashable, Sendable, Codable {
    /// The table on the target.
    public let table: String
    /// How many.
    public let rows: Int
  }

  /// Why the result is not to be relied on; none for a validation that came to its end.
  public let problems: [LoadProblem]
  /// What was found, by table; none where everything is equal.
  public let mismatches: [Mismatch]

  private static let validated = "Validated"
  private static let mismatched = "Mismatched records"

  /// Judges a validation.
  ///
  /// - Parameters:
  ///   - task: the task as last described.
  ///   - tables: what it says about its tables.
  ///   - expected: the tables that it should have compared.
  public static func judge(
    task: ReplicationTask,
    tables: [TableStatistics],
    expected: [ExpectedTable]
  ) -> ValidationVerdict {
    var judge = FullLoadVerdict.Judge(task: task)
    judge.state()
    var mismatches: [Mismatch] = []
    for table in expected {
      let name = "\(table.targetSchema).\(table.targetTable)"
      guard let entry = tables.first(where: table.isMeant) else {
        let source = "\(table.sourceSchema).\(table.sourceTable)"
        judge.add(
          .tableMissing,
          table: name,
          "the task reports nothing about it; does \(source) exist, and may DMS's user read it?"
        )
        continue
      }
      let failed = entry.validationFailedRecords ?? 0
      switch entry.validationState {
      case validated? where failed == 0: break
      case validated?, mismatched?:
        mismatches.append(Mismatch(table: table.name ?? table.targetTable, rows: max(failed, 1)))
      case let state:
        let details = entry.validationStateDetails.map { ": \($0)" } ?? ""
        judge.add(
          .notValidated,
          table: name,
          state.map { "its validation is \"\($0)\", not \"\(validated)\"\(details)" }
            ?? "nothing is said about its validation"
        )
      }
      let left = (entry.validationPendingRecords ?? 0) + (entry.validationSuspendedRecords ?? 0)
      if left > 0 { judge.add(.notValidated, table: name, "\(Spelling.counted(left, "row")) not compared") }
    }
    return ValidationVerdict(problems: judge.problems, mismatches: mismatches)
  }
}
